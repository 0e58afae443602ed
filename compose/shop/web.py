"""The shop's front: takes orders over HTTP, and one by itself every half second."""

import itertools
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tasks import send_receipt

orders = itertools.count(1)


class Shop(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"open\n")

    def do_POST(self):
        order = next(orders)
        send_receipt.delay(order)
        self.send_response(202)
        self.end_headers()
        self.wfile.write(b"order %d\n" % order)


def customers():
    while True:
        time.sleep(0.5)
        send_receipt.delay(next(orders))


threading.Thread(target=customers, daemon=True).start()
ThreadingHTTPServer(("0.0.0.0", 8000), Shop).serve_forever()
