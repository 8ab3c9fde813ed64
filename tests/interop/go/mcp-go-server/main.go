// Command mcp-go-server owns a stdio server written with mcp-go, for one row of MATRIX.md.
package main

import (
	"context"
	"log"
	"strconv"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

func add(_ context.Context, request mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	return mcp.NewToolResultText(strconv.Itoa(request.GetInt("a", 0) + request.GetInt("b", 0))), nil
}

func main() {
	fixture := server.NewMCPServer("mcpwrap-mcp-go-fixture", "1.0.0")
	tool := mcp.NewTool("add", mcp.WithDescription("Adds two numbers."),
		mcp.WithNumber("a", mcp.Required()), mcp.WithNumber("b", mcp.Required()))
	fixture.AddTool(tool, add)
	if err := server.ServeStdio(fixture); err != nil {
		log.Fatal(err)
	}
}
