"""The HTTP API: routes, guard, errors, stream. One application, behind Ray Serve or plain uvicorn."""
