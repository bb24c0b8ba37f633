"""The fleet's parts of a master: admission, dispatch, reports, results, metrics, failover."""
