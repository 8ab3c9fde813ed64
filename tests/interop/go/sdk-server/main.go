// Command sdk-server owns a stdio server written with the official Go SDK, for one row of MATRIX.md.
package main

import (
	"context"
	"log"
	"strconv"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

type numbers struct {
	A int `json:"a"`
	B int `json:"b"`
}

func main() {
	server := mcp.NewServer(&mcp.Implementation{Name: "mcpwrap-go-fixture", Version: "1.0.0"}, nil)
	mcp.AddTool(server, &mcp.Tool{Name: "add", Description: "Adds two numbers."},
		func(_ context.Context, _ *mcp.CallToolRequest, given numbers) (*mcp.CallToolResult, any, error) {
			sum := strconv.Itoa(given.A + given.B)
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: sum}}}, nil, nil
		})
	if err := server.Run(context.Background(), &mcp.StdioTransport{}); err != nil {
		log.Fatal(err)
	}
}
