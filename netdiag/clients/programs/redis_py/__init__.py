"""redis-py as the client under test, version 3 to 8, blocking or asyncio. The one door to `redis`.

voice        what happens -> lines of the contract
patterns     what a consumer does, as steps: no library, no waiting
connection   the contract's settings -> redis-py's options; connections that say what they do
driving      steps -> redis-py's calls, in the blocking and in the asyncio way

Needs nothing of netdiag, so it also runs as a script under another environment's interpreter:
`python netdiag/clients/redis_py`.
"""
