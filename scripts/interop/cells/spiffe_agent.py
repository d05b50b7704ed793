"""Plays a SPIFFE agent with the messages of the SPIFFE library and the server of gRPC: spiffe_agent.py SOCKET TOKEN MODE

The files TOKEN and MODE are read at each call: what is given out, and how it misbehaves.
"""

import os
import pathlib
import sys
import time
from concurrent import futures

import grpc
from spiffe._proto import workload_pb2, workload_pb2_grpc

socket, token, mode = map(pathlib.Path, sys.argv[1:4])


class Agent(workload_pb2_grpc.SpiffeWorkloadAPIServicer):
    def FetchJWTSVID(self, request, context):
        # Section 3.3 of the SPIFFE Workload Endpoint: without this the agent must refuse.
        if ("workload.spiffe.io", "true") not in context.invocation_metadata():
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "security header missing from request")
        if list(request.audience) != ["sigstore"] or request.spiffe_id:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"asked for {request}")
        svid = workload_pb2.JWTSVID(spiffe_id="spiffe://example.org/build", svid=token.read_text().strip(), hint="ci")
        match mode.read_text().strip():
            case "denied":
                context.abort(grpc.StatusCode.PERMISSION_DENIED, "no identity issued: 100 % sure\nreally")
            case "empty":
                return workload_pb2.JWTSVIDResponse()
            case "huge":
                return workload_pb2.JWTSVIDResponse(svids=[workload_pb2.JWTSVID(svid="x" * (2 << 20))])
            case "slow":
                time.sleep(20)
            case "several":
                other = workload_pb2.JWTSVID(spiffe_id="spiffe://example.org/other", svid="a.b.c")
                return workload_pb2.JWTSVIDResponse(svids=[svid, other])
        return workload_pb2.JWTSVIDResponse(svids=[svid])


server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
workload_pb2_grpc.add_SpiffeWorkloadAPIServicer_to_server(Agent(), server)
fresh = socket.with_name("fresh.sock")
server.add_insecure_port(f"unix:{fresh}")
server.start()
# gRPC has made the file when it listens; under its own name it is there with everything behind it.
os.rename(fresh, socket)
server.wait_for_termination()
