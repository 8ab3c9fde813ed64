"""Owns a stdio server written with PyPI `mcp` 2.x, for one row of MATRIX.md. Its SDK speaks both eras."""

from mcp.server.mcpserver import MCPServer

server = MCPServer("mcpwrap-python-fixture")


@server.tool()
def add(a: int, b: int) -> int:
    """Adds two numbers."""
    return a + b


server.run()
