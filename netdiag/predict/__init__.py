"""The arithmetic of waiting: settings -> who notices a fault, by which timer, in which interval.

predict    a cell -> its Prediction: `predict`
model      what is predicted: Prediction, FaultPrediction, Forecast
silence    what an answered probe means for keepalive
pushes     when messages come
situation  in which situation a fault may find the two ends
finding    in which one a trigger does
calls      when the client calls, and whether it has to wait
acks       who delays its ACKs
case       everything that is known when one fault is predicted
telling    when the application is told
dialling   how often a library dials in vain
settings   what the two ends wait for
programs   how the libraries speak
client     what could end a client's waiting
server     when a server gives a client up
healing    when a fault ends, and what FIN-WAIT-1 lasts
recovery   whom a path that heals in time rescues
resets     what a RST tells
hosts      what a frozen or dead program tells
retransmission  when unacknowledged data is sent again, and when it is given up
timers     the kernel's other timers: keepalive, SYN, persist, FIN-WAIT-2
pace       how long the parts of a lab take that no setting limits
kernel     what a kernel is set to, and what its release knows
words      intervals and formulas in words
wheel      the timer wheel, which makes each of them an interval
"""

from netdiag.predict.kernel import Kernel
from netdiag.predict.model import FaultPrediction, Forecast, Prediction
from netdiag.predict.predict import predict
from netdiag.predict.wheel import Span, Wheel
from netdiag.predict.words import written

__all__ = [
    "FaultPrediction",
    "Forecast",
    "Kernel",
    "Prediction",
    "Span",
    "Wheel",
    "predict",
    "written",
]
