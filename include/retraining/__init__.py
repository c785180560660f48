"""Keep a production scikit-learn model fresh: validate, evaluate, decide, train, compare, promote, explain."""
