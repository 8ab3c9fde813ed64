"""Owns a stdio server written with PyPI `fastmcp`, of any version, for a row of MATRIX.md."""

from fastmcp import FastMCP

server = FastMCP("mcpwrap-fastmcp-fixture")


@server.tool
def add(a: int, b: int) -> int:
    """Adds two numbers."""
    return a + b


server.run(show_banner=False)
