"""The demo: real flights, an S3 server and Airflow on one machine, nothing installed by hand."""
