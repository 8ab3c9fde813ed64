
using namespace System.Management.Automation
using namespace System.Management.Automation.Language

Register-ArgumentCompleter -Native -CommandName 'mcpwrap' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commandElements = $commandAst.CommandElements
    $command = @(
        'mcpwrap'
        for ($i = 1; $i -lt $commandElements.Count; $i++) {
            $element = $commandElements[$i]
            if ($element -isnot [StringConstantExpressionAst] -or
                $element.StringConstantType -ne [StringConstantType]::BareWord -or
                $element.Value.StartsWith('-') -or
                $element.Value -eq $wordToComplete) {
                break
        }
        $element.Value
    }) -join ';'

    $completions = @(switch ($command) {
        'mcpwrap' {
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('dev', 'dev', [CompletionResultType]::ParameterValue, 'Serve one developer on loopback, with client settings, traces and restarts')
            [CompletionResult]::new('serve', 'serve', [CompletionResultType]::ParameterValue, 'Serve many users, each with his own process and his own credential')
            [CompletionResult]::new('demo', 'demo', [CompletionResultType]::ParameterValue, 'Show the production path on this machine, with nothing to install')
            [CompletionResult]::new('check', 'check', [CompletionResultType]::ParameterValue, 'Say what is wrong with the options of serve before users do')
            [CompletionResult]::new('secret', 'secret', [CompletionResultType]::ParameterValue, 'Keep, list and forget secrets in the encrypted store and the OS keyring')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print a completion script')
            [CompletionResult]::new('man', 'man', [CompletionResultType]::ParameterValue, 'Print the manual')
            break
        }
        'mcpwrap;dev' {
            [CompletionResult]::new('--trace', '--trace', [CompletionResultType]::ParameterName, 'Show each message between client and child: lines or full [default: off]')
            [CompletionResult]::new('--watch', '--watch', [CompletionResultType]::ParameterName, 'Restart the child when this file or directory changes (repeatable)')
            [CompletionResult]::new('--print-config', '--print-config', [CompletionResultType]::ParameterName, 'Print ready-to-paste settings for this client, and exit')
            [CompletionResult]::new('--env', '--env', [CompletionResultType]::ParameterName, 'Add a variable to the child''s environment (repeatable)')
            [CompletionResult]::new('--credential', '--credential', [CompletionResultType]::ParameterName, 'Add a credential to the child''s environment (repeatable)')
            [CompletionResult]::new('--cwd', '--cwd', [CompletionResultType]::ParameterName, 'Start the child in this directory')
            [CompletionResult]::new('--child-scope', '--child-scope', [CompletionResultType]::ParameterName, 'Share a child between all clients of a user, or start one per session [default: user]')
            [CompletionResult]::new('--child-era', '--child-era', [CompletionResultType]::ParameterName, 'Speak this era of MCP with the child [default: auto]')
            [CompletionResult]::new('--start-timeout', '--start-timeout', [CompletionResultType]::ParameterName, 'Give up a child that is not ready so long after its own start [default: 60s]')
            [CompletionResult]::new('--start-wait', '--start-wait', [CompletionResultType]::ParameterName, 'Let a call wait so long for a child''s turn to start, or to start again after a crash [default: 2m]')
            [CompletionResult]::new('--call-timeout', '--call-timeout', [CompletionResultType]::ParameterName, 'Give up a call that is silent for this time, and any after six times that [default: 10m]')
            [CompletionResult]::new('--hold-limit', '--hold-limit', [CompletionResultType]::ParameterName, 'Hold what could be confused with another client''s call for this time [default: 5s]')
            [CompletionResult]::new('--child-idle', '--child-idle', [CompletionResultType]::ParameterName, 'Stop a child without work after this time [default: 15m]')
            [CompletionResult]::new('--grace', '--grace', [CompletionResultType]::ParameterName, 'Let calls go on so long when mcpwrap or a child is to end [default: 30s, dev: 5s]')
            [CompletionResult]::new('--max-line', '--max-line', [CompletionResultType]::ParameterName, 'Refuse longer lines from the child [default: 64MiB]')
            [CompletionResult]::new('--roots', '--roots', [CompletionResultType]::ParameterName, 'Name this directory when the child asks for its roots (repeatable)')
            [CompletionResult]::new('--name', '--name', [CompletionResultType]::ParameterName, 'Call the server so in client settings [default: from the command]')
            [CompletionResult]::new('--listen', '--listen', [CompletionResultType]::ParameterName, 'Listen on this address, port 0 for a free one [default: 127.0.0.1:8808]')
            [CompletionResult]::new('--path', '--path', [CompletionResultType]::ParameterName, 'Serve MCP at this path [default: /mcp]')
            [CompletionResult]::new('--allow-origin', '--allow-origin', [CompletionResultType]::ParameterName, 'Accept web pages of this origin (repeatable)')
            [CompletionResult]::new('--allow-host', '--allow-host', [CompletionResultType]::ParameterName, 'Accept requests to this host name (repeatable)')
            [CompletionResult]::new('--legacy-sse', '--legacy-sse', [CompletionResultType]::ParameterName, 'Serve the HTTP+SSE transport of 2024-11-05 too [default: false]')
            [CompletionResult]::new('--max-body', '--max-body', [CompletionResultType]::ParameterName, 'Refuse larger requests [default: 10MiB]')
            [CompletionResult]::new('--memory', '--memory', [CompletionResultType]::ParameterName, 'Hold at most so much for all users: sessions, stored events, bodies, unread results [default: 512MiB]')
            [CompletionResult]::new('--keep-alive', '--keep-alive', [CompletionResultType]::ParameterName, 'Send a sign of life on quiet streams this often [default: 15s]')
            [CompletionResult]::new('--session-idle', '--session-idle', [CompletionResultType]::ParameterName, 'End sessions without requests after this time [default: 30m]')
            [CompletionResult]::new('--sealed-ttl', '--sealed-ttl', [CompletionResultType]::ParameterName, 'Give up calls that wait for the user''s answers after this time [default: 5m]')
            [CompletionResult]::new('--audit', '--audit', [CompletionResultType]::ParameterName, 'Append audit records to this file, - for stderr')
            [CompletionResult]::new('--audit-durability', '--audit-durability', [CompletionResultType]::ParameterName, 'Dispatch a call once its record has left the process, or is on the disk [default: written]')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Keep state in this directory')
            [CompletionResult]::new('--threads', '--threads', [CompletionResultType]::ParameterName, 'Work on this many threads; the children need the other cores [default: half the cores]')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'Write the log in this form [default: text]')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more; twice for everything')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more; twice for everything')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'mcpwrap;serve' {
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings from this TOML file, keys named like the flags')
            [CompletionResult]::new('--public-url', '--public-url', [CompletionResultType]::ParameterName, 'Tell clients that this is the endpoint')
            [CompletionResult]::new('--trusted-proxy', '--trusted-proxy', [CompletionResultType]::ParameterName, 'Believe these proxies when X-Forwarded-For says who is behind them (repeatable)')
            [CompletionResult]::new('--oidc', '--oidc', [CompletionResultType]::ParameterName, 'Accept tokens of this issuer (repeatable)')
            [CompletionResult]::new('--idp', '--idp', [CompletionResultType]::ParameterName, 'Expect the habits of this identity provider, of one issuer or all [default: generic]')
            [CompletionResult]::new('--client', '--client', [CompletionResultType]::ParameterName, 'Take only tokens of this client, of one issuer or all; google and github need it (repeatable)')
            [CompletionResult]::new('--client-secret-file', '--client-secret-file', [CompletionResultType]::ParameterName, 'Read that client''s secret from this file; github needs it (repeatable)')
            [CompletionResult]::new('--api-url', '--api-url', [CompletionResultType]::ParameterName, 'Ask the provider''s API here, like GitHub Enterprise''s [default: the public one]')
            [CompletionResult]::new('--token-type', '--token-type', [CompletionResultType]::ParameterName, 'Take only at+jwt for access tokens, or also JWT and none [default: by --idp]')
            [CompletionResult]::new('--keys-cool-down', '--keys-cool-down', [CompletionResultType]::ParameterName, 'Look for a key that is unknown no more often than this [default: 30s]')
            [CompletionResult]::new('--ca-file', '--ca-file', [CompletionResultType]::ParameterName, 'Trust the certificate authorities of this PEM file too, for the provider and the vault')
            [CompletionResult]::new('--audience', '--audience', [CompletionResultType]::ParameterName, 'Require this audience (repeatable) [default: the public URL]')
            [CompletionResult]::new('--algorithm', '--algorithm', [CompletionResultType]::ParameterName, 'Accept this signature algorithm (repeatable) [default: RS256,PS256,ES256,ES384,EdDSA]')
            [CompletionResult]::new('--required-scope', '--required-scope', [CompletionResultType]::ParameterName, 'Require this scope (repeatable)')
            [CompletionResult]::new('--offer-scope', '--offer-scope', [CompletionResultType]::ParameterName, 'Tell clients to ask the provider for this scope too, without requiring it (repeatable)')
            [CompletionResult]::new('--user-claim', '--user-claim', [CompletionResultType]::ParameterName, 'Take the user from this claim [default: by --idp]')
            [CompletionResult]::new('--tenant-claim', '--tenant-claim', [CompletionResultType]::ParameterName, 'Take the tenant from this claim [default: by --idp]')
            [CompletionResult]::new('--groups-claim', '--groups-claim', [CompletionResultType]::ParameterName, 'Take the groups from this claim [default: by --idp]')
            [CompletionResult]::new('--allow-tenant', '--allow-tenant', [CompletionResultType]::ParameterName, 'Let in users of this tenant only (repeatable)')
            [CompletionResult]::new('--allow-user', '--allow-user', [CompletionResultType]::ParameterName, 'Let in this user, or service:NAME; without any --allow-…, everybody (repeatable)')
            [CompletionResult]::new('--allow-group', '--allow-group', [CompletionResultType]::ParameterName, 'Let in this group (repeatable)')
            [CompletionResult]::new('--allow-domain', '--allow-domain', [CompletionResultType]::ParameterName, 'Let in verified addresses of this e-mail domain (repeatable)')
            [CompletionResult]::new('--machines', '--machines', [CompletionResultType]::ParameterName, 'Let services in that act for themselves [default: refuse]')
            [CompletionResult]::new('--introspection-when', '--introspection-when', [CompletionResultType]::ParameterName, 'Ask the issuer about opaque tokens, or always, so that it can withdraw any [default: opaque]')
            [CompletionResult]::new('--introspection-cache', '--introspection-cache', [CompletionResultType]::ParameterName, 'Believe for so long that a token is active, at most 1m [default: 1m]')
            [CompletionResult]::new('--introspection-endpoint', '--introspection-endpoint', [CompletionResultType]::ParameterName, 'Ask here about opaque tokens [default: from the issuer''s metadata]')
            [CompletionResult]::new('--introspection-client-id', '--introspection-client-id', [CompletionResultType]::ParameterName, 'Ask about opaque tokens as this client, of the issuer NAME where there are several')
            [CompletionResult]::new('--introspection-client-secret-file', '--introspection-client-secret-file', [CompletionResultType]::ParameterName, 'Read that client''s secret from this file')
            [CompletionResult]::new('--env', '--env', [CompletionResultType]::ParameterName, 'Add a variable to the child''s environment (repeatable)')
            [CompletionResult]::new('--credential', '--credential', [CompletionResultType]::ParameterName, 'Add a credential to the child''s environment (repeatable)')
            [CompletionResult]::new('--cwd', '--cwd', [CompletionResultType]::ParameterName, 'Start the child in this directory')
            [CompletionResult]::new('--child-scope', '--child-scope', [CompletionResultType]::ParameterName, 'Share a child between all clients of a user, or start one per session [default: user]')
            [CompletionResult]::new('--child-era', '--child-era', [CompletionResultType]::ParameterName, 'Speak this era of MCP with the child [default: auto]')
            [CompletionResult]::new('--start-timeout', '--start-timeout', [CompletionResultType]::ParameterName, 'Give up a child that is not ready so long after its own start [default: 60s]')
            [CompletionResult]::new('--start-wait', '--start-wait', [CompletionResultType]::ParameterName, 'Let a call wait so long for a child''s turn to start, or to start again after a crash [default: 2m]')
            [CompletionResult]::new('--call-timeout', '--call-timeout', [CompletionResultType]::ParameterName, 'Give up a call that is silent for this time, and any after six times that [default: 10m]')
            [CompletionResult]::new('--hold-limit', '--hold-limit', [CompletionResultType]::ParameterName, 'Hold what could be confused with another client''s call for this time [default: 5s]')
            [CompletionResult]::new('--child-idle', '--child-idle', [CompletionResultType]::ParameterName, 'Stop a child without work after this time [default: 15m]')
            [CompletionResult]::new('--grace', '--grace', [CompletionResultType]::ParameterName, 'Let calls go on so long when mcpwrap or a child is to end [default: 30s, dev: 5s]')
            [CompletionResult]::new('--max-line', '--max-line', [CompletionResultType]::ParameterName, 'Refuse longer lines from the child [default: 64MiB]')
            [CompletionResult]::new('--roots', '--roots', [CompletionResultType]::ParameterName, 'Name this directory when the child asks for its roots (repeatable)')
            [CompletionResult]::new('--name', '--name', [CompletionResultType]::ParameterName, 'Call the server so in client settings [default: from the command]')
            [CompletionResult]::new('--isolation', '--isolation', [CompletionResultType]::ParameterName, 'Build the strongest walls there are or refuse to start; basic: Landlock and seccomp alone [default: strict]')
            [CompletionResult]::new('--uid-range', '--uid-range', [CompletionResultType]::ParameterName, 'Run children under these user ids [default: as root, a range that no local file names]')
            [CompletionResult]::new('--allow-read', '--allow-read', [CompletionResultType]::ParameterName, 'Let children read this file or directory too (repeatable)')
            [CompletionResult]::new('--allow-write', '--allow-write', [CompletionResultType]::ParameterName, 'Let the children of all users write to this file or directory too (repeatable)')
            [CompletionResult]::new('--home-scope', '--home-scope', [CompletionResultType]::ParameterName, 'Give a home to each authority of a user, or to each user [default: authority]')
            [CompletionResult]::new('--home-size', '--home-size', [CompletionResultType]::ParameterName, 'Let a home use so much of the disk [default: 1GiB]')
            [CompletionResult]::new('--credential-file', '--credential-file', [CompletionResultType]::ParameterName, 'Put a credential into a file of the child, its path into the variable (repeatable)')
            [CompletionResult]::new('--allow-shared-credential', '--allow-shared-credential', [CompletionResultType]::ParameterName, 'Accept that all users share this credential (repeatable)')
            [CompletionResult]::new('--master-key', '--master-key', [CompletionResultType]::ParameterName, 'Take the key of the encrypted store from here [default: a file in the state directory]')
            [CompletionResult]::new('--max-children', '--max-children', [CompletionResultType]::ParameterName, 'Run at most so many children [default: 256]')
            [CompletionResult]::new('--max-children-per-user', '--max-children-per-user', [CompletionResultType]::ParameterName, 'Run at most so many children for a user [default: 4]')
            [CompletionResult]::new('--max-starts', '--max-starts', [CompletionResultType]::ParameterName, 'Start at most so many children at a time [default: half the cores, at least 1]')
            [CompletionResult]::new('--memory-per-user', '--memory-per-user', [CompletionResultType]::ParameterName, 'Hold at most so much for a user [default: 64MiB]')
            [CompletionResult]::new('--listen', '--listen', [CompletionResultType]::ParameterName, 'Listen on this address, port 0 for a free one [default: 127.0.0.1:8808]')
            [CompletionResult]::new('--path', '--path', [CompletionResultType]::ParameterName, 'Serve MCP at this path [default: /mcp]')
            [CompletionResult]::new('--allow-origin', '--allow-origin', [CompletionResultType]::ParameterName, 'Accept web pages of this origin (repeatable)')
            [CompletionResult]::new('--allow-host', '--allow-host', [CompletionResultType]::ParameterName, 'Accept requests to this host name (repeatable)')
            [CompletionResult]::new('--legacy-sse', '--legacy-sse', [CompletionResultType]::ParameterName, 'Serve the HTTP+SSE transport of 2024-11-05 too [default: false]')
            [CompletionResult]::new('--max-body', '--max-body', [CompletionResultType]::ParameterName, 'Refuse larger requests [default: 10MiB]')
            [CompletionResult]::new('--memory', '--memory', [CompletionResultType]::ParameterName, 'Hold at most so much for all users: sessions, stored events, bodies, unread results [default: 512MiB]')
            [CompletionResult]::new('--keep-alive', '--keep-alive', [CompletionResultType]::ParameterName, 'Send a sign of life on quiet streams this often [default: 15s]')
            [CompletionResult]::new('--session-idle', '--session-idle', [CompletionResultType]::ParameterName, 'End sessions without requests after this time [default: 30m]')
            [CompletionResult]::new('--sealed-ttl', '--sealed-ttl', [CompletionResultType]::ParameterName, 'Give up calls that wait for the user''s answers after this time [default: 5m]')
            [CompletionResult]::new('--audit', '--audit', [CompletionResultType]::ParameterName, 'Append audit records to this file, - for stderr')
            [CompletionResult]::new('--audit-durability', '--audit-durability', [CompletionResultType]::ParameterName, 'Dispatch a call once its record has left the process, or is on the disk [default: written]')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Keep state in this directory')
            [CompletionResult]::new('--threads', '--threads', [CompletionResultType]::ParameterName, 'Work on this many threads; the children need the other cores [default: half the cores]')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'Write the log in this form [default: text]')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more; twice for everything')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more; twice for everything')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'mcpwrap;demo' {
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'Write the log in this form [default: text]')
            [CompletionResult]::new('--once', '--once', [CompletionResultType]::ParameterName, 'Show everything once, and exit')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more; twice for everything')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more; twice for everything')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'mcpwrap;check' {
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings from this TOML file, keys named like the flags')
            [CompletionResult]::new('--public-url', '--public-url', [CompletionResultType]::ParameterName, 'Tell clients that this is the endpoint')
            [CompletionResult]::new('--trusted-proxy', '--trusted-proxy', [CompletionResultType]::ParameterName, 'Believe these proxies when X-Forwarded-For says who is behind them (repeatable)')
            [CompletionResult]::new('--oidc', '--oidc', [CompletionResultType]::ParameterName, 'Accept tokens of this issuer (repeatable)')
            [CompletionResult]::new('--idp', '--idp', [CompletionResultType]::ParameterName, 'Expect the habits of this identity provider, of one issuer or all [default: generic]')
            [CompletionResult]::new('--client', '--client', [CompletionResultType]::ParameterName, 'Take only tokens of this client, of one issuer or all; google and github need it (repeatable)')
            [CompletionResult]::new('--client-secret-file', '--client-secret-file', [CompletionResultType]::ParameterName, 'Read that client''s secret from this file; github needs it (repeatable)')
            [CompletionResult]::new('--api-url', '--api-url', [CompletionResultType]::ParameterName, 'Ask the provider''s API here, like GitHub Enterprise''s [default: the public one]')
            [CompletionResult]::new('--token-type', '--token-type', [CompletionResultType]::ParameterName, 'Take only at+jwt for access tokens, or also JWT and none [default: by --idp]')
            [CompletionResult]::new('--keys-cool-down', '--keys-cool-down', [CompletionResultType]::ParameterName, 'Look for a key that is unknown no more often than this [default: 30s]')
            [CompletionResult]::new('--ca-file', '--ca-file', [CompletionResultType]::ParameterName, 'Trust the certificate authorities of this PEM file too, for the provider and the vault')
            [CompletionResult]::new('--audience', '--audience', [CompletionResultType]::ParameterName, 'Require this audience (repeatable) [default: the public URL]')
            [CompletionResult]::new('--algorithm', '--algorithm', [CompletionResultType]::ParameterName, 'Accept this signature algorithm (repeatable) [default: RS256,PS256,ES256,ES384,EdDSA]')
            [CompletionResult]::new('--required-scope', '--required-scope', [CompletionResultType]::ParameterName, 'Require this scope (repeatable)')
            [CompletionResult]::new('--offer-scope', '--offer-scope', [CompletionResultType]::ParameterName, 'Tell clients to ask the provider for this scope too, without requiring it (repeatable)')
            [CompletionResult]::new('--user-claim', '--user-claim', [CompletionResultType]::ParameterName, 'Take the user from this claim [default: by --idp]')
            [CompletionResult]::new('--tenant-claim', '--tenant-claim', [CompletionResultType]::ParameterName, 'Take the tenant from this claim [default: by --idp]')
            [CompletionResult]::new('--groups-claim', '--groups-claim', [CompletionResultType]::ParameterName, 'Take the groups from this claim [default: by --idp]')
            [CompletionResult]::new('--allow-tenant', '--allow-tenant', [CompletionResultType]::ParameterName, 'Let in users of this tenant only (repeatable)')
            [CompletionResult]::new('--allow-user', '--allow-user', [CompletionResultType]::ParameterName, 'Let in this user, or service:NAME; without any --allow-…, everybody (repeatable)')
            [CompletionResult]::new('--allow-group', '--allow-group', [CompletionResultType]::ParameterName, 'Let in this group (repeatable)')
            [CompletionResult]::new('--allow-domain', '--allow-domain', [CompletionResultType]::ParameterName, 'Let in verified addresses of this e-mail domain (repeatable)')
            [CompletionResult]::new('--machines', '--machines', [CompletionResultType]::ParameterName, 'Let services in that act for themselves [default: refuse]')
            [CompletionResult]::new('--introspection-when', '--introspection-when', [CompletionResultType]::ParameterName, 'Ask the issuer about opaque tokens, or always, so that it can withdraw any [default: opaque]')
            [CompletionResult]::new('--introspection-cache', '--introspection-cache', [CompletionResultType]::ParameterName, 'Believe for so long that a token is active, at most 1m [default: 1m]')
            [CompletionResult]::new('--introspection-endpoint', '--introspection-endpoint', [CompletionResultType]::ParameterName, 'Ask here about opaque tokens [default: from the issuer''s metadata]')
            [CompletionResult]::new('--introspection-client-id', '--introspection-client-id', [CompletionResultType]::ParameterName, 'Ask about opaque tokens as this client, of the issuer NAME where there are several')
            [CompletionResult]::new('--introspection-client-secret-file', '--introspection-client-secret-file', [CompletionResultType]::ParameterName, 'Read that client''s secret from this file')
            [CompletionResult]::new('--env', '--env', [CompletionResultType]::ParameterName, 'Add a variable to the child''s environment (repeatable)')
            [CompletionResult]::new('--credential', '--credential', [CompletionResultType]::ParameterName, 'Add a credential to the child''s environment (repeatable)')
            [CompletionResult]::new('--cwd', '--cwd', [CompletionResultType]::ParameterName, 'Start the child in this directory')
            [CompletionResult]::new('--child-scope', '--child-scope', [CompletionResultType]::ParameterName, 'Share a child between all clients of a user, or start one per session [default: user]')
            [CompletionResult]::new('--child-era', '--child-era', [CompletionResultType]::ParameterName, 'Speak this era of MCP with the child [default: auto]')
            [CompletionResult]::new('--start-timeout', '--start-timeout', [CompletionResultType]::ParameterName, 'Give up a child that is not ready so long after its own start [default: 60s]')
            [CompletionResult]::new('--start-wait', '--start-wait', [CompletionResultType]::ParameterName, 'Let a call wait so long for a child''s turn to start, or to start again after a crash [default: 2m]')
            [CompletionResult]::new('--call-timeout', '--call-timeout', [CompletionResultType]::ParameterName, 'Give up a call that is silent for this time, and any after six times that [default: 10m]')
            [CompletionResult]::new('--hold-limit', '--hold-limit', [CompletionResultType]::ParameterName, 'Hold what could be confused with another client''s call for this time [default: 5s]')
            [CompletionResult]::new('--child-idle', '--child-idle', [CompletionResultType]::ParameterName, 'Stop a child without work after this time [default: 15m]')
            [CompletionResult]::new('--grace', '--grace', [CompletionResultType]::ParameterName, 'Let calls go on so long when mcpwrap or a child is to end [default: 30s, dev: 5s]')
            [CompletionResult]::new('--max-line', '--max-line', [CompletionResultType]::ParameterName, 'Refuse longer lines from the child [default: 64MiB]')
            [CompletionResult]::new('--roots', '--roots', [CompletionResultType]::ParameterName, 'Name this directory when the child asks for its roots (repeatable)')
            [CompletionResult]::new('--name', '--name', [CompletionResultType]::ParameterName, 'Call the server so in client settings [default: from the command]')
            [CompletionResult]::new('--isolation', '--isolation', [CompletionResultType]::ParameterName, 'Build the strongest walls there are or refuse to start; basic: Landlock and seccomp alone [default: strict]')
            [CompletionResult]::new('--uid-range', '--uid-range', [CompletionResultType]::ParameterName, 'Run children under these user ids [default: as root, a range that no local file names]')
            [CompletionResult]::new('--allow-read', '--allow-read', [CompletionResultType]::ParameterName, 'Let children read this file or directory too (repeatable)')
            [CompletionResult]::new('--allow-write', '--allow-write', [CompletionResultType]::ParameterName, 'Let the children of all users write to this file or directory too (repeatable)')
            [CompletionResult]::new('--home-scope', '--home-scope', [CompletionResultType]::ParameterName, 'Give a home to each authority of a user, or to each user [default: authority]')
            [CompletionResult]::new('--home-size', '--home-size', [CompletionResultType]::ParameterName, 'Let a home use so much of the disk [default: 1GiB]')
            [CompletionResult]::new('--credential-file', '--credential-file', [CompletionResultType]::ParameterName, 'Put a credential into a file of the child, its path into the variable (repeatable)')
            [CompletionResult]::new('--allow-shared-credential', '--allow-shared-credential', [CompletionResultType]::ParameterName, 'Accept that all users share this credential (repeatable)')
            [CompletionResult]::new('--master-key', '--master-key', [CompletionResultType]::ParameterName, 'Take the key of the encrypted store from here [default: a file in the state directory]')
            [CompletionResult]::new('--max-children', '--max-children', [CompletionResultType]::ParameterName, 'Run at most so many children [default: 256]')
            [CompletionResult]::new('--max-children-per-user', '--max-children-per-user', [CompletionResultType]::ParameterName, 'Run at most so many children for a user [default: 4]')
            [CompletionResult]::new('--max-starts', '--max-starts', [CompletionResultType]::ParameterName, 'Start at most so many children at a time [default: half the cores, at least 1]')
            [CompletionResult]::new('--memory-per-user', '--memory-per-user', [CompletionResultType]::ParameterName, 'Hold at most so much for a user [default: 64MiB]')
            [CompletionResult]::new('--listen', '--listen', [CompletionResultType]::ParameterName, 'Listen on this address, port 0 for a free one [default: 127.0.0.1:8808]')
            [CompletionResult]::new('--path', '--path', [CompletionResultType]::ParameterName, 'Serve MCP at this path [default: /mcp]')
            [CompletionResult]::new('--allow-origin', '--allow-origin', [CompletionResultType]::ParameterName, 'Accept web pages of this origin (repeatable)')
            [CompletionResult]::new('--allow-host', '--allow-host', [CompletionResultType]::ParameterName, 'Accept requests to this host name (repeatable)')
            [CompletionResult]::new('--legacy-sse', '--legacy-sse', [CompletionResultType]::ParameterName, 'Serve the HTTP+SSE transport of 2024-11-05 too [default: false]')
            [CompletionResult]::new('--max-body', '--max-body', [CompletionResultType]::ParameterName, 'Refuse larger requests [default: 10MiB]')
            [CompletionResult]::new('--memory', '--memory', [CompletionResultType]::ParameterName, 'Hold at most so much for all users: sessions, stored events, bodies, unread results [default: 512MiB]')
            [CompletionResult]::new('--keep-alive', '--keep-alive', [CompletionResultType]::ParameterName, 'Send a sign of life on quiet streams this often [default: 15s]')
            [CompletionResult]::new('--session-idle', '--session-idle', [CompletionResultType]::ParameterName, 'End sessions without requests after this time [default: 30m]')
            [CompletionResult]::new('--sealed-ttl', '--sealed-ttl', [CompletionResultType]::ParameterName, 'Give up calls that wait for the user''s answers after this time [default: 5m]')
            [CompletionResult]::new('--audit', '--audit', [CompletionResultType]::ParameterName, 'Append audit records to this file, - for stderr')
            [CompletionResult]::new('--audit-durability', '--audit-durability', [CompletionResultType]::ParameterName, 'Dispatch a call once its record has left the process, or is on the disk [default: written]')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Keep state in this directory')
            [CompletionResult]::new('--threads', '--threads', [CompletionResultType]::ParameterName, 'Work on this many threads; the children need the other cores [default: half the cores]')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'Write the log in this form [default: text]')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more; twice for everything')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more; twice for everything')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'mcpwrap;secret' {
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('set', 'set', [CompletionResultType]::ParameterValue, 'Keep a secret, read from stdin')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List the secrets in the store, without their values')
            [CompletionResult]::new('rm', 'rm', [CompletionResultType]::ParameterValue, 'Forget a secret')
            break
        }
        'mcpwrap;secret;set' {
            [CompletionResult]::new('--from-file', '--from-file', [CompletionResultType]::ParameterName, 'Read the value from this file instead of stdin')
            [CompletionResult]::new('--issuer', '--issuer', [CompletionResultType]::ParameterName, 'Name the issuer of the user''s tokens')
            [CompletionResult]::new('--tenant', '--tenant', [CompletionResultType]::ParameterName, 'Name the user''s tenant, where one is configured')
            [CompletionResult]::new('--subject', '--subject', [CompletionResultType]::ParameterName, 'Name the user as his tokens do')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Find the store in this directory')
            [CompletionResult]::new('--master-key', '--master-key', [CompletionResultType]::ParameterName, 'Take the key of the store from here [default: a file in the state directory]')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'mcpwrap;secret;list' {
            [CompletionResult]::new('--issuer', '--issuer', [CompletionResultType]::ParameterName, 'Name the issuer of the user''s tokens')
            [CompletionResult]::new('--tenant', '--tenant', [CompletionResultType]::ParameterName, 'Name the user''s tenant, where one is configured')
            [CompletionResult]::new('--subject', '--subject', [CompletionResultType]::ParameterName, 'Name the user as his tokens do')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Find the store in this directory')
            [CompletionResult]::new('--master-key', '--master-key', [CompletionResultType]::ParameterName, 'Take the key of the store from here [default: a file in the state directory]')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'mcpwrap;secret;rm' {
            [CompletionResult]::new('--issuer', '--issuer', [CompletionResultType]::ParameterName, 'Name the issuer of the user''s tokens')
            [CompletionResult]::new('--tenant', '--tenant', [CompletionResultType]::ParameterName, 'Name the user''s tenant, where one is configured')
            [CompletionResult]::new('--subject', '--subject', [CompletionResultType]::ParameterName, 'Name the user as his tokens do')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Find the store in this directory')
            [CompletionResult]::new('--master-key', '--master-key', [CompletionResultType]::ParameterName, 'Take the key of the store from here [default: a file in the state directory]')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'mcpwrap;completions' {
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'mcpwrap;man' {
            [CompletionResult]::new('--dir', '--dir', [CompletionResultType]::ParameterName, 'Write all pages into this directory instead of the first to stdout')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
