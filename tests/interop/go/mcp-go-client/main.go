// Command mcp-go-client owns a conversation with mcp-go: `mcp-go-client TARGET`, where TARGET is a URL or a JSON array
// with the command of a stdio server. It probes for the modern era unless MATRIX_ERA=legacy.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"

	mcpgo "github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"
	"mcpwrap/interop/talk"
)

type client struct{ *mcpgo.Client }

func (c client) Call(ctx context.Context, tool string, args map[string]any) (string, error) {
	request := mcp.CallToolRequest{Params: mcp.CallToolParams{
		Name: tool, Arguments: args, Meta: &mcp.Meta{ProgressToken: "progress of " + tool},
	}}
	result, err := c.CallTool(ctx, request)
	if err != nil {
		return "", err
	}
	var parts []string
	for _, part := range result.Content {
		if text, ok := mcp.AsTextContent(part); ok {
			parts = append(parts, text.Text)
		}
	}
	return strings.Join(parts, "\n"), nil
}

func (c client) SetLevel(ctx context.Context, level string) error {
	return c.Client.SetLevel(ctx, mcp.SetLevelRequest{Params: mcp.SetLevelParams{Level: mcp.LoggingLevel(level)}})
}

// person is the imitated user and model.
type person struct{}

func (person) Elicit(_ context.Context, request mcp.ElicitationRequest) (*mcp.ElicitationResult, error) {
	return &mcp.ElicitationResult{ElicitationResponse: mcp.ElicitationResponse{
		Action: mcp.ElicitationResponseActionAccept, Content: talk.Fill(request.Params.RequestedSchema),
	}}, nil
}

func (person) CreateMessage(_ context.Context, request mcp.CreateMessageRequest) (*mcp.CreateMessageResult, error) {
	if len(request.Messages) == 0 {
		return nil, errors.New("there is no message to answer")
	}
	said, err := json.Marshal(request.Messages[len(request.Messages)-1].Content)
	if err != nil {
		return nil, err
	}
	var text mcp.TextContent
	if err := json.Unmarshal(said, &text); err != nil {
		return nil, err
	}
	return &mcp.CreateMessageResult{
		SamplingMessage: mcp.SamplingMessage{Role: mcp.RoleAssistant, Content: mcp.NewTextContent("you said " + text.Text)},
		Model:           "no-model",
	}, nil
}

func (person) ListRoots(context.Context, mcp.ListRootsRequest) (*mcp.ListRootsResult, error) {
	return &mcp.ListRootsResult{Roots: []mcp.Root{{URI: "file:///tmp/one", Name: "one"}}}, nil
}

func hear(notification mcp.JSONRPCNotification) {
	fields := notification.Params.AdditionalFields
	switch notification.Method {
	case "notifications/message":
		talk.Say("log", fields["data"])
	case "notifications/progress":
		talk.Say("progress", fields["progress"])
	}
}

func connect(ctx context.Context, target string) (*mcpgo.Client, error) {
	var way transport.Interface
	if strings.HasPrefix(target, "[") {
		var command []string
		if err := json.Unmarshal([]byte(target), &command); err != nil {
			return nil, err
		}
		way = transport.NewStdio(command[0], nil, command[1:]...)
	} else {
		http, err := transport.NewStreamableHTTP(target,
			transport.WithHTTPBasicClient(talk.WithBearer()), transport.WithContinuousListening())
		if err != nil {
			return nil, err
		}
		way = http
	}
	options := []mcpgo.ClientOption{
		mcpgo.WithElicitationHandler(person{}), mcpgo.WithSamplingHandler(person{}), mcpgo.WithRootsHandler(person{}),
	}
	if talk.Legacy() {
		options = append(options, mcpgo.WithProtocolVersion("2025-11-25"))
	}
	owner := mcpgo.NewClient(way, options...)
	owner.OnNotification(hear)
	if err := owner.Start(ctx); err != nil {
		return nil, err
	}
	var hello mcp.InitializeRequest
	hello.Params.ClientInfo = mcp.Implementation{Name: "mcp-go", Version: "1.0.0"}
	hello.Params.ProtocolVersion = mcp.LATEST_PROTOCOL_VERSION
	if talk.Legacy() {
		hello.Params.ProtocolVersion = "2025-11-25"
	}
	_, err := owner.Initialize(ctx, hello)
	return owner, err
}

func run(ctx context.Context, target string) error {
	owner, err := connect(ctx, target)
	if err != nil {
		return err
	}
	defer owner.Close()
	listed, err := owner.ListTools(ctx, mcp.ListToolsRequest{})
	if err != nil {
		return fmt.Errorf("tools/list: %w", err)
	}
	talk.Say("tools", len(listed.Tools))
	return talk.Converse(ctx, client{owner})
}

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: mcp-go-client TARGET")
	}
	if err := run(context.Background(), os.Args[1]); err != nil {
		log.Fatal(err)
	}
}
