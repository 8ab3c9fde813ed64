"""Owns a conversation with PyPI `fastmcp`, of the era before and after 3.x alike: `fastmcp_client.py TARGET`.

TARGET is a URL, or a JSON array with the command of a stdio server. talk.mjs is the other end: commands are JSON lines
on stdin, what came of each are JSON lines on stdout. MATRIX_ERA=legacy keeps a client of both eras from probing.
"""

import asyncio
import inspect
import json
import os
import sys

from fastmcp import Client
from fastmcp.client.transports import StdioTransport, StreamableHttpTransport


def say(**line) -> None:
    print(json.dumps(line), flush=True)


async def elicit(_message, _type, params, _context):
    schema = params.model_dump(by_alias=True)["requestedSchema"]
    return {name: f"a {name}" for name in schema.get("properties", {})}


async def sample(messages, _params, _context):
    return f"you said {messages[-1].content.text}"


async def log(message):
    # What is logged is a value in the protocol; fastmcp's own servers wrap it.
    say(log=message.data)


async def progress(progress, _total, _message):
    say(progress=progress)


async def obey(client: Client, command: dict) -> str:
    if command.get("ping"):
        await client.ping()
        return ""
    if level := command.get("level"):
        await client.set_logging_level(level)
        return ""
    result = await client.call_tool(command["tool"], command["args"], raise_on_error=False)
    return "\n".join(getattr(part, "text", "") for part in result.content)


async def main(target: str) -> None:
    if target.startswith("["):
        command, *args = json.loads(target)
        transport = StdioTransport(command, args, keep_alive=False)
    else:
        bearer = os.environ.get("MATRIX_BEARER")
        headers = {"authorization": f"Bearer {bearer}"} if bearer else {}
        transport = StreamableHttpTransport(target, headers=headers)
    options = {}
    if os.environ.get("MATRIX_ERA") == "legacy" and "mode" in inspect.signature(Client).parameters:
        options["mode"] = "legacy"
    client = Client(
        transport,
        roots=["file:///tmp/one"],
        elicitation_handler=elicit,
        sampling_handler=sample,
        log_handler=log,
        progress_handler=progress,
        **options,
    )
    async with client:
        say(tools=len(await client.list_tools()))
        while line := await asyncio.to_thread(sys.stdin.readline):
            try:
                say(text=await obey(client, json.loads(line)))
            except Exception as error:
                say(error=f"{type(error).__name__}: {error}")


asyncio.run(main(sys.argv[1]))
