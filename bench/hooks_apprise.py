"""The same text by Apprise's json:// service, a thread for each connection.  hooks_apprise.py PORT THREADS REQUESTS BODYFILE"""
import concurrent.futures
import logging
import sys
import time

import apprise

port, threads, requests, body = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), open(sys.argv[4], encoding="utf-8").read()
logging.disable(logging.CRITICAL)
service = apprise.Apprise.instantiate(f"json://127.0.0.1:{port}/hook")
service.request_rate_per_sec = 0
start = time.perf_counter()
with concurrent.futures.ThreadPoolExecutor(threads) as pool:
    good = sum(pool.map(lambda _: bool(service.notify(body=body, title="")), range(requests)))
print(f"{time.perf_counter() - start:.6f} {good} {requests}")
