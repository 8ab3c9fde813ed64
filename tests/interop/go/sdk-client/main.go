// Command sdk-client owns a conversation with the official Go SDK: `sdk-client TARGET`, where TARGET is a URL or a JSON
// array with the command of a stdio server. It probes for the modern era unless MATRIX_ERA=legacy.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"mcpwrap/interop/talk"
)

type client struct{ *mcp.ClientSession }

func (c client) Call(ctx context.Context, tool string, args map[string]any) (string, error) {
	params := &mcp.CallToolParams{Name: tool, Arguments: args}
	params.SetProgressToken("progress of " + tool)
	result, err := c.CallTool(ctx, params)
	if err != nil {
		return "", err
	}
	var parts []string
	for _, part := range result.Content {
		if text, ok := part.(*mcp.TextContent); ok {
			parts = append(parts, text.Text)
		}
	}
	return strings.Join(parts, "\n"), nil
}

func (c client) Ping(ctx context.Context) error { return c.ClientSession.Ping(ctx, nil) }

func (c client) SetLevel(ctx context.Context, level string) error {
	return c.SetLoggingLevel(ctx, &mcp.SetLoggingLevelParams{Level: mcp.LoggingLevel(level)})
}

func options() *mcp.ClientOptions {
	return &mcp.ClientOptions{
		ElicitationHandler: func(_ context.Context, request *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
			return &mcp.ElicitResult{Action: "accept", Content: talk.Fill(request.Params.RequestedSchema)}, nil
		},
		CreateMessageHandler: func(_ context.Context, request *mcp.CreateMessageRequest) (*mcp.CreateMessageResult, error) {
			messages := request.Params.Messages
			if len(messages) == 0 {
				return nil, errors.New("there is no message to answer")
			}
			said, ok := messages[len(messages)-1].Content.(*mcp.TextContent)
			if !ok {
				return nil, errors.New("the last message is not text")
			}
			return &mcp.CreateMessageResult{Role: "assistant", Model: "no-model", Content: &mcp.TextContent{Text: "you said " + said.Text}}, nil
		},
		LoggingMessageHandler: func(_ context.Context, request *mcp.LoggingMessageRequest) {
			talk.Say("log", request.Params.Data)
		},
		ProgressNotificationHandler: func(_ context.Context, request *mcp.ProgressNotificationClientRequest) {
			talk.Say("progress", request.Params.Progress)
		},
	}
}

func connect(ctx context.Context, target string) (*mcp.ClientSession, error) {
	var transport mcp.Transport = &mcp.StreamableClientTransport{Endpoint: target, HTTPClient: talk.WithBearer()}
	if strings.HasPrefix(target, "[") {
		var command []string
		if err := json.Unmarshal([]byte(target), &command); err != nil {
			return nil, err
		}
		transport = &mcp.CommandTransport{Command: exec.Command(command[0], command[1:]...)}
	}
	var session *mcp.ClientSessionOptions
	if talk.Legacy() {
		session = &mcp.ClientSessionOptions{ProtocolVersion: "2025-11-25"}
	}
	owner := mcp.NewClient(&mcp.Implementation{Name: "go-sdk", Version: "1.0.0"}, options())
	owner.AddRoots(&mcp.Root{URI: "file:///tmp/one", Name: "one"})
	return owner.Connect(ctx, transport, session)
}

func run(ctx context.Context, target string) error {
	session, err := connect(ctx, target)
	if err != nil {
		return err
	}
	defer session.Close()
	listed, err := session.ListTools(ctx, nil)
	if err != nil {
		return fmt.Errorf("tools/list: %w", err)
	}
	talk.Say("tools", len(listed.Tools))
	return talk.Converse(ctx, client{session})
}

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: sdk-client TARGET")
	}
	if err := run(context.Background(), os.Args[1]); err != nil {
		log.Fatal(err)
	}
}
