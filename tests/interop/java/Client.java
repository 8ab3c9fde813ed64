// Owns a conversation with the Java SDK: `java -cp 'JARS/*' Client.java TARGET`, where TARGET is a URL or a JSON array
// with the command of a stdio server. talk.mjs is the other end: commands are JSON lines on stdin, what came of each are
// JSON lines on stdout. The SDK speaks the era of initialize.

import io.modelcontextprotocol.client.McpClient;
import io.modelcontextprotocol.client.McpSyncClient;
import io.modelcontextprotocol.client.transport.HttpClientStreamableHttpTransport;
import io.modelcontextprotocol.client.transport.ServerParameters;
import io.modelcontextprotocol.client.transport.StdioClientTransport;
import io.modelcontextprotocol.json.McpJsonDefaults;
import io.modelcontextprotocol.json.McpJsonMapper;
import io.modelcontextprotocol.spec.McpClientTransport;
import io.modelcontextprotocol.spec.McpSchema;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpRequest;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

public final class Client {
    private static final McpJsonMapper JSON = McpJsonDefaults.getMapper();

    private static synchronized void say(String kind, Object what) {
        try {
            System.out.println(JSON.writeValueAsString(Map.of(kind, what)));
        } catch (IOException error) {
            throw new IllegalStateException(error);
        }
    }

    private static McpClientTransport transportTo(String target) throws IOException {
        if (target.startsWith("[")) {
            List<?> command = JSON.readValue(target, List.class);
            List<String> args = command.stream().skip(1).map(String::valueOf).toList();
            return new StdioClientTransport(ServerParameters.builder((String) command.get(0)).args(args).build(), JSON);
        }
        URI uri = URI.create(target);
        HttpRequest.Builder request = HttpRequest.newBuilder();
        String bearer = System.getenv("MATRIX_BEARER");
        if (bearer != null) {
            request.header("Authorization", "Bearer " + bearer);
        }
        return HttpClientStreamableHttpTransport.builder(uri.getScheme() + "://" + uri.getAuthority())
            .endpoint(uri.getPath())
            .requestBuilder(request)
            .build();
    }

    private static McpSchema.ElicitResult fill(McpSchema.ElicitFormRequest request) {
        Map<String, Object> content = new HashMap<>();
        if (request.requestedSchema().get("properties") instanceof Map<?, ?> fields) {
            fields.keySet().forEach(name -> content.put(String.valueOf(name), "a " + name));
        }
        return new McpSchema.ElicitResult(McpSchema.ElicitResult.Action.ACCEPT, content);
    }

    private static McpSchema.CreateMessageResult sample(McpSchema.CreateMessageRequest request) {
        List<McpSchema.SamplingMessage> messages = request.messages();
        String said = text(messages.get(messages.size() - 1).content());
        return McpSchema.CreateMessageResult.builder(McpSchema.Role.ASSISTANT, "you said " + said, "no-model").build();
    }

    private static String text(McpSchema.Content content) {
        return content instanceof McpSchema.TextContent text ? text.text() : "";
    }

    private static String obey(McpSyncClient client, Map<?, ?> command) {
        if (command.containsKey("ping")) {
            client.ping();
            return "";
        }
        if (command.get("level") instanceof String level) {
            client.setLoggingLevel(McpSchema.LoggingLevel.valueOf(level.toUpperCase()));
            return "";
        }
        Map<String, Object> arguments = new HashMap<>();
        ((Map<?, ?>) command.get("args")).forEach((name, value) -> arguments.put(String.valueOf(name), value));
        McpSchema.CallToolRequest call = new McpSchema.CallToolRequest.Builder()
            .name((String) command.get("tool"))
            .arguments(arguments)
            .progressToken("progress of " + command.get("tool"))
            .build();
        return client.callTool(call).content().stream().map(Client::text).collect(Collectors.joining("\n"));
    }

    public static void main(String[] args) throws IOException {
        McpSyncClient client = McpClient.sync(transportTo(args[0]))
            .clientInfo(new McpSchema.Implementation("java-sdk", "1.0.0"))
            .capabilities(new McpSchema.ClientCapabilities.Builder().roots(false).sampling().elicitation(true, false).build())
            .roots(new McpSchema.Root("file:///tmp/one", "one"))
            .elicitation(Client::fill)
            .sampling(Client::sample)
            .loggingConsumer(message -> say("log", message.data()))
            .progressConsumer(progress -> say("progress", progress.progress()))
            .build();
        client.initialize();
        say("tools", client.listTools().tools().size());
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            try {
                say("text", obey(client, JSON.readValue(line, Map.class)));
            } catch (RuntimeException error) {
                say("error", String.valueOf(error.getMessage()));
            }
        }
        client.closeGracefully();
        // The SDK's threads would keep the process alive for a while.
        System.exit(0);
    }
}
