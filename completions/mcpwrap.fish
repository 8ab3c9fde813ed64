# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_mcpwrap_global_optspecs
    string join \n h/help V/version
end

function __fish_mcpwrap_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_mcpwrap_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_mcpwrap_using_subcommand
    set -l cmd (__fish_mcpwrap_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c mcpwrap -n "__fish_mcpwrap_needs_command" -s h -l help -d 'Print help'
complete -c mcpwrap -n "__fish_mcpwrap_needs_command" -s V -l version -d 'Print version'
complete -c mcpwrap -n "__fish_mcpwrap_needs_command" -f -a "dev" -d 'Serve one developer on loopback, with client settings, traces and restarts'
complete -c mcpwrap -n "__fish_mcpwrap_needs_command" -f -a "serve" -d 'Serve many users, each with his own process and his own credential'
complete -c mcpwrap -n "__fish_mcpwrap_needs_command" -f -a "demo" -d 'Show the production path on this machine, with nothing to install'
complete -c mcpwrap -n "__fish_mcpwrap_needs_command" -f -a "check" -d 'Say what is wrong with the options of serve before users do'
complete -c mcpwrap -n "__fish_mcpwrap_needs_command" -f -a "secret" -d 'Keep, list and forget secrets in the encrypted store and the OS keyring'
complete -c mcpwrap -n "__fish_mcpwrap_needs_command" -f -a "completions" -d 'Print a completion script'
complete -c mcpwrap -n "__fish_mcpwrap_needs_command" -f -a "man" -d 'Print the manual'
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand dev" -l trace -d 'Show each message between client and child: lines or full [default: off]' -r -f -a "lines\t''
full\t''
off\t''"
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand dev" -l watch -d 'Restart the child when this file or directory changes (repeatable)' -r -F
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand dev" -l print-config -d 'Print ready-to-paste settings for this client, and exit' -r -f -a "vscode\t''
cursor\t''
claude-code\t''
claude-desktop\t''
json\t''"
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand dev" -l env -d 'Add a variable to the child\'s environment (repeatable)' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand dev" -l credential -d 'Add a credential to the child\'s environment (repeatable)' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand dev" -l cwd -d 'Start the child in this directory' -r -f -a "(__fish_complete_directories)"
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand dev" -l child-scope -d 'Share a child between all clients of a user, or start one per session [default: user]' -r -f -a "user\t''
session\t''"
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand dev" -l child-era -d 'Speak this era of MCP with the child [default: auto]' -r -f -a "auto\t''
legacy\t''
modern\t''"
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand dev" -l start-timeout -d 'Give up a child that is not ready so long after its own start [default: 60s]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand dev" -l start-wait -d 'Let a call wait so long for a child\'s turn to start, or to start again after a crash [default: 2m]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand dev" -l call-timeout -d 'Give up a call that is silent for this time, and any after six times that [default: 10m]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand dev" -l hold-limit -d 'Hold what could be confused with another client\'s call for this time [default: 5s]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand dev" -l child-idle -d 'Stop a child without work after this time [default: 15m]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand dev" -l grace -d 'Let calls go on so long when mcpwrap or a child is to end [default: 30s, dev: 5s]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand dev" -l max-line -d 'Refuse longer lines from the child [default: 64MiB]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand dev" -l roots -d 'Name this directory when the child asks for its roots (repeatable)' -r -f -a "(__fish_complete_directories)"
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand dev" -l name -d 'Call the server so in client settings [default: from the command]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand dev" -l listen -d 'Listen on this address, port 0 for a free one [default: 127.0.0.1:8808]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand dev" -l path -d 'Serve MCP at this path [default: /mcp]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand dev" -l allow-origin -d 'Accept web pages of this origin (repeatable)' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand dev" -l allow-host -d 'Accept requests to this host name (repeatable)' -r -f -a "(__fish_print_hostnames)"
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand dev" -l legacy-sse -d 'Serve the HTTP+SSE transport of 2024-11-05 too [default: false]' -r -f -a "true\t''
false\t''"
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand dev" -l max-body -d 'Refuse larger requests [default: 10MiB]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand dev" -l memory -d 'Hold at most so much for all users: sessions, stored events, bodies, unread results [default: 512MiB]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand dev" -l keep-alive -d 'Send a sign of life on quiet streams this often [default: 15s]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand dev" -l session-idle -d 'End sessions without requests after this time [default: 30m]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand dev" -l sealed-ttl -d 'Give up calls that wait for the user\'s answers after this time [default: 5m]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand dev" -l audit -d 'Append audit records to this file, - for stderr' -r -F
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand dev" -l audit-durability -d 'Dispatch a call once its record has left the process, or is on the disk [default: written]' -r -f -a "written\t''
synced\t''"
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand dev" -l state-dir -d 'Keep state in this directory' -r -f -a "(__fish_complete_directories)"
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand dev" -l threads -d 'Work on this many threads; the children need the other cores [default: half the cores]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand dev" -l log-format -d 'Write the log in this form [default: text]' -r -f -a "text\t''
json\t''"
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand dev" -s v -l verbose -d 'Log more; twice for everything'
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand dev" -s h -l help -d 'Print help'
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l config -d 'Read settings from this TOML file, keys named like the flags' -r -F
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l public-url -d 'Tell clients that this is the endpoint' -r -f
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l trusted-proxy -d 'Believe these proxies when X-Forwarded-For says who is behind them (repeatable)' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l oidc -d 'Accept tokens of this issuer (repeatable)' -r -f
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l idp -d 'Expect the habits of this identity provider, of one issuer or all [default: generic]' -r -f -a "generic\t''
okta\t''
entra\t''
auth0\t''
keycloak\t''
cognito\t''
google\t''
github\t''"
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l client -d 'Take only tokens of this client, of one issuer or all; google and github need it (repeatable)' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l client-secret-file -d 'Read that client\'s secret from this file; github needs it (repeatable)' -r -F
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l api-url -d 'Ask the provider\'s API here, like GitHub Enterprise\'s [default: the public one]' -r -f
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l token-type -d 'Take only at+jwt for access tokens, or also JWT and none [default: by --idp]' -r -f -a "strict\t''
lenient\t''"
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l keys-cool-down -d 'Look for a key that is unknown no more often than this [default: 30s]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l ca-file -d 'Trust the certificate authorities of this PEM file too, for the provider and the vault' -r -F
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l audience -d 'Require this audience (repeatable) [default: the public URL]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l algorithm -d 'Accept this signature algorithm (repeatable) [default: RS256,PS256,ES256,ES384,EdDSA]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l required-scope -d 'Require this scope (repeatable)' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l offer-scope -d 'Tell clients to ask the provider for this scope too, without requiring it (repeatable)' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l user-claim -d 'Take the user from this claim [default: by --idp]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l tenant-claim -d 'Take the tenant from this claim [default: by --idp]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l groups-claim -d 'Take the groups from this claim [default: by --idp]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l allow-tenant -d 'Let in users of this tenant only (repeatable)' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l allow-user -d 'Let in this user, or service:NAME; without any --allow-…, everybody (repeatable)' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l allow-group -d 'Let in this group (repeatable)' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l allow-domain -d 'Let in verified addresses of this e-mail domain (repeatable)' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l machines -d 'Let services in that act for themselves [default: refuse]' -r -f -a "refuse\t''
accept\t''"
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l introspection-when -d 'Ask the issuer about opaque tokens, or always, so that it can withdraw any [default: opaque]' -r -f -a "opaque\t''
always\t''"
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l introspection-cache -d 'Believe for so long that a token is active, at most 1m [default: 1m]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l introspection-endpoint -d 'Ask here about opaque tokens [default: from the issuer\'s metadata]' -r -f
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l introspection-client-id -d 'Ask about opaque tokens as this client, of the issuer NAME where there are several' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l introspection-client-secret-file -d 'Read that client\'s secret from this file' -r -F
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l env -d 'Add a variable to the child\'s environment (repeatable)' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l credential -d 'Add a credential to the child\'s environment (repeatable)' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l cwd -d 'Start the child in this directory' -r -f -a "(__fish_complete_directories)"
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l child-scope -d 'Share a child between all clients of a user, or start one per session [default: user]' -r -f -a "user\t''
session\t''"
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l child-era -d 'Speak this era of MCP with the child [default: auto]' -r -f -a "auto\t''
legacy\t''
modern\t''"
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l start-timeout -d 'Give up a child that is not ready so long after its own start [default: 60s]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l start-wait -d 'Let a call wait so long for a child\'s turn to start, or to start again after a crash [default: 2m]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l call-timeout -d 'Give up a call that is silent for this time, and any after six times that [default: 10m]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l hold-limit -d 'Hold what could be confused with another client\'s call for this time [default: 5s]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l child-idle -d 'Stop a child without work after this time [default: 15m]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l grace -d 'Let calls go on so long when mcpwrap or a child is to end [default: 30s, dev: 5s]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l max-line -d 'Refuse longer lines from the child [default: 64MiB]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l roots -d 'Name this directory when the child asks for its roots (repeatable)' -r -f -a "(__fish_complete_directories)"
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l name -d 'Call the server so in client settings [default: from the command]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l isolation -d 'Build the strongest walls there are or refuse to start; basic: Landlock and seccomp alone [default: strict]' -r -f -a "strict\t''
basic\t''"
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l uid-range -d 'Run children under these user ids [default: as root, a range that no local file names]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l allow-read -d 'Let children read this file or directory too (repeatable)' -r -F
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l allow-write -d 'Let the children of all users write to this file or directory too (repeatable)' -r -F
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l home-scope -d 'Give a home to each authority of a user, or to each user [default: authority]' -r -f -a "authority\t''
user\t''"
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l home-size -d 'Let a home use so much of the disk [default: 1GiB]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l credential-file -d 'Put a credential into a file of the child, its path into the variable (repeatable)' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l allow-shared-credential -d 'Accept that all users share this credential (repeatable)' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l master-key -d 'Take the key of the encrypted store from here [default: a file in the state directory]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l max-children -d 'Run at most so many children [default: 256]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l max-children-per-user -d 'Run at most so many children for a user [default: 4]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l max-starts -d 'Start at most so many children at a time [default: half the cores, at least 1]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l memory-per-user -d 'Hold at most so much for a user [default: 64MiB]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l listen -d 'Listen on this address, port 0 for a free one [default: 127.0.0.1:8808]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l path -d 'Serve MCP at this path [default: /mcp]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l allow-origin -d 'Accept web pages of this origin (repeatable)' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l allow-host -d 'Accept requests to this host name (repeatable)' -r -f -a "(__fish_print_hostnames)"
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l legacy-sse -d 'Serve the HTTP+SSE transport of 2024-11-05 too [default: false]' -r -f -a "true\t''
false\t''"
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l max-body -d 'Refuse larger requests [default: 10MiB]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l memory -d 'Hold at most so much for all users: sessions, stored events, bodies, unread results [default: 512MiB]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l keep-alive -d 'Send a sign of life on quiet streams this often [default: 15s]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l session-idle -d 'End sessions without requests after this time [default: 30m]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l sealed-ttl -d 'Give up calls that wait for the user\'s answers after this time [default: 5m]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l audit -d 'Append audit records to this file, - for stderr' -r -F
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l audit-durability -d 'Dispatch a call once its record has left the process, or is on the disk [default: written]' -r -f -a "written\t''
synced\t''"
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l state-dir -d 'Keep state in this directory' -r -f -a "(__fish_complete_directories)"
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l threads -d 'Work on this many threads; the children need the other cores [default: half the cores]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -l log-format -d 'Write the log in this form [default: text]' -r -f -a "text\t''
json\t''"
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -s v -l verbose -d 'Log more; twice for everything'
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand serve" -s h -l help -d 'Print help'
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand demo" -l log-format -d 'Write the log in this form [default: text]' -r -f -a "text\t''
json\t''"
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand demo" -l once -d 'Show everything once, and exit'
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand demo" -s v -l verbose -d 'Log more; twice for everything'
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand demo" -s h -l help -d 'Print help'
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l config -d 'Read settings from this TOML file, keys named like the flags' -r -F
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l public-url -d 'Tell clients that this is the endpoint' -r -f
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l trusted-proxy -d 'Believe these proxies when X-Forwarded-For says who is behind them (repeatable)' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l oidc -d 'Accept tokens of this issuer (repeatable)' -r -f
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l idp -d 'Expect the habits of this identity provider, of one issuer or all [default: generic]' -r -f -a "generic\t''
okta\t''
entra\t''
auth0\t''
keycloak\t''
cognito\t''
google\t''
github\t''"
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l client -d 'Take only tokens of this client, of one issuer or all; google and github need it (repeatable)' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l client-secret-file -d 'Read that client\'s secret from this file; github needs it (repeatable)' -r -F
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l api-url -d 'Ask the provider\'s API here, like GitHub Enterprise\'s [default: the public one]' -r -f
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l token-type -d 'Take only at+jwt for access tokens, or also JWT and none [default: by --idp]' -r -f -a "strict\t''
lenient\t''"
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l keys-cool-down -d 'Look for a key that is unknown no more often than this [default: 30s]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l ca-file -d 'Trust the certificate authorities of this PEM file too, for the provider and the vault' -r -F
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l audience -d 'Require this audience (repeatable) [default: the public URL]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l algorithm -d 'Accept this signature algorithm (repeatable) [default: RS256,PS256,ES256,ES384,EdDSA]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l required-scope -d 'Require this scope (repeatable)' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l offer-scope -d 'Tell clients to ask the provider for this scope too, without requiring it (repeatable)' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l user-claim -d 'Take the user from this claim [default: by --idp]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l tenant-claim -d 'Take the tenant from this claim [default: by --idp]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l groups-claim -d 'Take the groups from this claim [default: by --idp]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l allow-tenant -d 'Let in users of this tenant only (repeatable)' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l allow-user -d 'Let in this user, or service:NAME; without any --allow-…, everybody (repeatable)' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l allow-group -d 'Let in this group (repeatable)' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l allow-domain -d 'Let in verified addresses of this e-mail domain (repeatable)' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l machines -d 'Let services in that act for themselves [default: refuse]' -r -f -a "refuse\t''
accept\t''"
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l introspection-when -d 'Ask the issuer about opaque tokens, or always, so that it can withdraw any [default: opaque]' -r -f -a "opaque\t''
always\t''"
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l introspection-cache -d 'Believe for so long that a token is active, at most 1m [default: 1m]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l introspection-endpoint -d 'Ask here about opaque tokens [default: from the issuer\'s metadata]' -r -f
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l introspection-client-id -d 'Ask about opaque tokens as this client, of the issuer NAME where there are several' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l introspection-client-secret-file -d 'Read that client\'s secret from this file' -r -F
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l env -d 'Add a variable to the child\'s environment (repeatable)' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l credential -d 'Add a credential to the child\'s environment (repeatable)' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l cwd -d 'Start the child in this directory' -r -f -a "(__fish_complete_directories)"
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l child-scope -d 'Share a child between all clients of a user, or start one per session [default: user]' -r -f -a "user\t''
session\t''"
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l child-era -d 'Speak this era of MCP with the child [default: auto]' -r -f -a "auto\t''
legacy\t''
modern\t''"
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l start-timeout -d 'Give up a child that is not ready so long after its own start [default: 60s]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l start-wait -d 'Let a call wait so long for a child\'s turn to start, or to start again after a crash [default: 2m]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l call-timeout -d 'Give up a call that is silent for this time, and any after six times that [default: 10m]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l hold-limit -d 'Hold what could be confused with another client\'s call for this time [default: 5s]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l child-idle -d 'Stop a child without work after this time [default: 15m]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l grace -d 'Let calls go on so long when mcpwrap or a child is to end [default: 30s, dev: 5s]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l max-line -d 'Refuse longer lines from the child [default: 64MiB]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l roots -d 'Name this directory when the child asks for its roots (repeatable)' -r -f -a "(__fish_complete_directories)"
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l name -d 'Call the server so in client settings [default: from the command]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l isolation -d 'Build the strongest walls there are or refuse to start; basic: Landlock and seccomp alone [default: strict]' -r -f -a "strict\t''
basic\t''"
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l uid-range -d 'Run children under these user ids [default: as root, a range that no local file names]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l allow-read -d 'Let children read this file or directory too (repeatable)' -r -F
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l allow-write -d 'Let the children of all users write to this file or directory too (repeatable)' -r -F
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l home-scope -d 'Give a home to each authority of a user, or to each user [default: authority]' -r -f -a "authority\t''
user\t''"
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l home-size -d 'Let a home use so much of the disk [default: 1GiB]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l credential-file -d 'Put a credential into a file of the child, its path into the variable (repeatable)' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l allow-shared-credential -d 'Accept that all users share this credential (repeatable)' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l master-key -d 'Take the key of the encrypted store from here [default: a file in the state directory]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l max-children -d 'Run at most so many children [default: 256]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l max-children-per-user -d 'Run at most so many children for a user [default: 4]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l max-starts -d 'Start at most so many children at a time [default: half the cores, at least 1]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l memory-per-user -d 'Hold at most so much for a user [default: 64MiB]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l listen -d 'Listen on this address, port 0 for a free one [default: 127.0.0.1:8808]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l path -d 'Serve MCP at this path [default: /mcp]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l allow-origin -d 'Accept web pages of this origin (repeatable)' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l allow-host -d 'Accept requests to this host name (repeatable)' -r -f -a "(__fish_print_hostnames)"
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l legacy-sse -d 'Serve the HTTP+SSE transport of 2024-11-05 too [default: false]' -r -f -a "true\t''
false\t''"
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l max-body -d 'Refuse larger requests [default: 10MiB]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l memory -d 'Hold at most so much for all users: sessions, stored events, bodies, unread results [default: 512MiB]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l keep-alive -d 'Send a sign of life on quiet streams this often [default: 15s]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l session-idle -d 'End sessions without requests after this time [default: 30m]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l sealed-ttl -d 'Give up calls that wait for the user\'s answers after this time [default: 5m]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l audit -d 'Append audit records to this file, - for stderr' -r -F
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l audit-durability -d 'Dispatch a call once its record has left the process, or is on the disk [default: written]' -r -f -a "written\t''
synced\t''"
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l state-dir -d 'Keep state in this directory' -r -f -a "(__fish_complete_directories)"
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l threads -d 'Work on this many threads; the children need the other cores [default: half the cores]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -l log-format -d 'Write the log in this form [default: text]' -r -f -a "text\t''
json\t''"
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -s v -l verbose -d 'Log more; twice for everything'
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand check" -s h -l help -d 'Print help'
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand secret; and not __fish_seen_subcommand_from set list rm" -s h -l help -d 'Print help'
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand secret; and not __fish_seen_subcommand_from set list rm" -f -a "set" -d 'Keep a secret, read from stdin'
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand secret; and not __fish_seen_subcommand_from set list rm" -f -a "list" -d 'List the secrets in the store, without their values'
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand secret; and not __fish_seen_subcommand_from set list rm" -f -a "rm" -d 'Forget a secret'
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand secret; and __fish_seen_subcommand_from set" -l from-file -d 'Read the value from this file instead of stdin' -r -F
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand secret; and __fish_seen_subcommand_from set" -l issuer -d 'Name the issuer of the user\'s tokens' -r -f
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand secret; and __fish_seen_subcommand_from set" -l tenant -d 'Name the user\'s tenant, where one is configured' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand secret; and __fish_seen_subcommand_from set" -l subject -d 'Name the user as his tokens do' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand secret; and __fish_seen_subcommand_from set" -l state-dir -d 'Find the store in this directory' -r -f -a "(__fish_complete_directories)"
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand secret; and __fish_seen_subcommand_from set" -l master-key -d 'Take the key of the store from here [default: a file in the state directory]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand secret; and __fish_seen_subcommand_from set" -s h -l help -d 'Print help'
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand secret; and __fish_seen_subcommand_from list" -l issuer -d 'Name the issuer of the user\'s tokens' -r -f
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand secret; and __fish_seen_subcommand_from list" -l tenant -d 'Name the user\'s tenant, where one is configured' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand secret; and __fish_seen_subcommand_from list" -l subject -d 'Name the user as his tokens do' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand secret; and __fish_seen_subcommand_from list" -l state-dir -d 'Find the store in this directory' -r -f -a "(__fish_complete_directories)"
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand secret; and __fish_seen_subcommand_from list" -l master-key -d 'Take the key of the store from here [default: a file in the state directory]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand secret; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand secret; and __fish_seen_subcommand_from rm" -l issuer -d 'Name the issuer of the user\'s tokens' -r -f
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand secret; and __fish_seen_subcommand_from rm" -l tenant -d 'Name the user\'s tenant, where one is configured' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand secret; and __fish_seen_subcommand_from rm" -l subject -d 'Name the user as his tokens do' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand secret; and __fish_seen_subcommand_from rm" -l state-dir -d 'Find the store in this directory' -r -f -a "(__fish_complete_directories)"
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand secret; and __fish_seen_subcommand_from rm" -l master-key -d 'Take the key of the store from here [default: a file in the state directory]' -r
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand secret; and __fish_seen_subcommand_from rm" -s h -l help -d 'Print help'
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand man" -l dir -d 'Write all pages into this directory instead of the first to stdout' -r -f -a "(__fish_complete_directories)"
complete -c mcpwrap -n "__fish_mcpwrap_using_subcommand man" -s h -l help -d 'Print help'
