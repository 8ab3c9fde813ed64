// Package talk owns what the Go clients have in common: commands as JSON lines on stdin, what came of each as JSON
// lines on stdout, and the answers of the imitated user and model. tests/interop/talk.mjs is the other end.
package talk

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"sync"
)

// Command is one line of stdin: a call of a tool, or a ping, or a level of logging.
type Command struct {
	Tool  string         `json:"tool"`
	Args  map[string]any `json:"args"`
	Ping  bool           `json:"ping"`
	Level string         `json:"level"`
}

// Client is what an SDK must do for a conversation.
type Client interface {
	Call(ctx context.Context, tool string, args map[string]any) (string, error)
	Ping(ctx context.Context) error
	SetLevel(ctx context.Context, level string) error
}

var out sync.Mutex

// Say writes one line: "text" or "error" is what came of a command, "log" and "progress" came meanwhile.
func Say(kind string, what any) {
	line, err := json.Marshal(map[string]any{kind: what})
	if err != nil {
		line, _ = json.Marshal(map[string]any{"error": err.Error()})
	}
	out.Lock()
	defer out.Unlock()
	_, _ = os.Stdout.Write(append(line, '\n'))
}

// Converse obeys stdin until its end.
func Converse(ctx context.Context, client Client) error {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var command Command
		if err := json.Unmarshal(lines.Bytes(), &command); err != nil {
			return err
		}
		var text string
		var err error
		switch {
		case command.Ping:
			err = client.Ping(ctx)
		case command.Level != "":
			err = client.SetLevel(ctx, command.Level)
		default:
			text, err = client.Call(ctx, command.Tool, command.Args)
		}
		if err != nil {
			Say("error", err.Error())
		} else {
			Say("text", text)
		}
	}
	return lines.Err()
}

// Fill answers each field of a form with "a NAME", as every client of these tests does. A schema that is not a JSON
// object has no fields.
func Fill(schema any) map[string]any {
	form, _ := schema.(map[string]any)
	fields, _ := form["properties"].(map[string]any)
	content := map[string]any{}
	for name := range fields {
		content[name] = "a " + name
	}
	return content
}

// Legacy says whether the client is to speak as one of the era of initialize.
func Legacy() bool { return os.Getenv("MATRIX_ERA") == "legacy" }

// Bearer is the token to send, or empty.
func Bearer() string { return os.Getenv("MATRIX_BEARER") }

// WithBearer sends the token with each request.
func WithBearer() *http.Client { return &http.Client{Transport: bearer{}} }

type bearer struct{}

func (bearer) RoundTrip(request *http.Request) (*http.Response, error) {
	if token := Bearer(); token != "" {
		request = request.Clone(request.Context())
		request.Header.Set("Authorization", "Bearer "+token)
	}
	return http.DefaultTransport.RoundTrip(request)
}
