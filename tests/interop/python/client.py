"""Owns one call of one tool with PyPI `mcp` 2.x: `client.py TARGET TOOL ARGUMENTS`, the answer's text on stdout.

TARGET is a URL, or a JSON array with the command of a stdio server. The client probes for the modern era. With
MATRIX_BEARER in the environment it sends that token.
"""

import asyncio
import json
import os
import sys

import httpx2
from mcp import Client
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client


async def main(target: str, tool: str, arguments: str) -> None:
    server = target
    if target.startswith("["):
        command, *args = json.loads(target)
        server = StdioServerParameters(command=command, args=args)
    elif bearer := os.environ.get("MATRIX_BEARER"):
        headers = {"authorization": f"Bearer {bearer}"}
        server = streamable_http_client(target, http_client=httpx2.AsyncClient(headers=headers, timeout=60))
    async with Client(server) as client:
        names = [listed.name for listed in (await client.list_tools()).tools]
        if tool not in names:
            raise SystemExit(f"{tool} is not among {names}")
        result = await client.call_tool(tool, json.loads(arguments))
        for part in result.content:
            print(getattr(part, "text", ""))


asyncio.run(main(*sys.argv[1:4]))
