module completions {

  # Serve a local MCP server as a remote one
  export extern mcpwrap [
    --help(-h)                # Print help
    --version(-V)             # Print version
  ]

  def "nu-complete mcpwrap dev trace" [] {
    [ "lines" "full" "off" ]
  }

  def "nu-complete mcpwrap dev print_config" [] {
    [ "vscode" "cursor" "claude-code" "claude-desktop" "json" ]
  }

  def "nu-complete mcpwrap dev child_scope" [] {
    [ "user" "session" ]
  }

  def "nu-complete mcpwrap dev child_era" [] {
    [ "auto" "legacy" "modern" ]
  }

  def "nu-complete mcpwrap dev legacy_sse" [] {
    [ "true" "false" ]
  }

  def "nu-complete mcpwrap dev audit_durability" [] {
    [ "written" "synced" ]
  }

  def "nu-complete mcpwrap dev log_format" [] {
    [ "text" "json" ]
  }

  # Serve one developer on loopback, with client settings, traces and restarts
  export extern "mcpwrap dev" [
    --trace: string@"nu-complete mcpwrap dev trace" # Show each message between client and child: lines or full [default: off]
    --watch: path             # Restart the child when this file or directory changes (repeatable)
    --print-config: string@"nu-complete mcpwrap dev print_config" # Print ready-to-paste settings for this client, and exit
    --env: string             # Add a variable to the child's environment (repeatable)
    --credential: string      # Add a credential to the child's environment (repeatable)
    --cwd: directory          # Start the child in this directory
    --child-scope: string@"nu-complete mcpwrap dev child_scope" # Share a child between all clients of a user, or start one per session [default: user]
    --child-era: string@"nu-complete mcpwrap dev child_era" # Speak this era of MCP with the child [default: auto]
    --start-timeout: string   # Give up a child that is not ready so long after its own start [default: 60s]
    --start-wait: string      # Let a call wait so long for a child's turn to start, or to start again after a crash [default: 2m]
    --call-timeout: string    # Give up a call that is silent for this time, and any after six times that [default: 10m]
    --hold-limit: string      # Hold what could be confused with another client's call for this time [default: 5s]
    --child-idle: string      # Stop a child without work after this time [default: 15m]
    --grace: string           # Let calls go on so long when mcpwrap or a child is to end [default: 30s, dev: 5s]
    --max-line: string        # Refuse longer lines from the child [default: 64MiB]
    --roots: directory        # Name this directory when the child asks for its roots (repeatable)
    --name: string            # Call the server so in client settings [default: from the command]
    --listen: string          # Listen on this address, port 0 for a free one [default: 127.0.0.1:8808]
    --path: string            # Serve MCP at this path [default: /mcp]
    --allow-origin: string    # Accept web pages of this origin (repeatable)
    --allow-host: string      # Accept requests to this host name (repeatable)
    --legacy-sse: string@"nu-complete mcpwrap dev legacy_sse" # Serve the HTTP+SSE transport of 2024-11-05 too [default: false]
    --max-body: string        # Refuse larger requests [default: 10MiB]
    --memory: string          # Hold at most so much for all users: sessions, stored events, bodies, unread results [default: 512MiB]
    --keep-alive: string      # Send a sign of life on quiet streams this often [default: 15s]
    --session-idle: string    # End sessions without requests after this time [default: 30m]
    --sealed-ttl: string      # Give up calls that wait for the user's answers after this time [default: 5m]
    --audit: path             # Append audit records to this file, - for stderr
    --audit-durability: string@"nu-complete mcpwrap dev audit_durability" # Dispatch a call once its record has left the process, or is on the disk [default: written]
    --state-dir: directory    # Keep state in this directory
    --threads: string         # Work on this many threads; the children need the other cores [default: half the cores]
    --log-format: string@"nu-complete mcpwrap dev log_format" # Write the log in this form [default: text]
    --verbose(-v)             # Log more; twice for everything
    --help(-h)                # Print help
  ]

  def "nu-complete mcpwrap serve idp" [] {
    [ "generic" "okta" "entra" "auth0" "keycloak" "cognito" "google" "github" ]
  }

  def "nu-complete mcpwrap serve token_type" [] {
    [ "strict" "lenient" ]
  }

  def "nu-complete mcpwrap serve machines" [] {
    [ "refuse" "accept" ]
  }

  def "nu-complete mcpwrap serve introspection_when" [] {
    [ "opaque" "always" ]
  }

  def "nu-complete mcpwrap serve child_scope" [] {
    [ "user" "session" ]
  }

  def "nu-complete mcpwrap serve child_era" [] {
    [ "auto" "legacy" "modern" ]
  }

  def "nu-complete mcpwrap serve isolation" [] {
    [ "strict" "basic" ]
  }

  def "nu-complete mcpwrap serve home_scope" [] {
    [ "authority" "user" ]
  }

  def "nu-complete mcpwrap serve legacy_sse" [] {
    [ "true" "false" ]
  }

  def "nu-complete mcpwrap serve audit_durability" [] {
    [ "written" "synced" ]
  }

  def "nu-complete mcpwrap serve log_format" [] {
    [ "text" "json" ]
  }

  # Serve many users, each with his own process and his own credential
  export extern "mcpwrap serve" [
    --config: path            # Read settings from this TOML file, keys named like the flags
    --public-url: string      # Tell clients that this is the endpoint
    --trusted-proxy: string   # Believe these proxies when X-Forwarded-For says who is behind them (repeatable)
    --oidc: string            # Accept tokens of this issuer (repeatable)
    --idp: string@"nu-complete mcpwrap serve idp" # Expect the habits of this identity provider, of one issuer or all [default: generic]
    --client: string          # Take only tokens of this client, of one issuer or all; google and github need it (repeatable)
    --client-secret-file: path # Read that client's secret from this file; github needs it (repeatable)
    --api-url: string         # Ask the provider's API here, like GitHub Enterprise's [default: the public one]
    --token-type: string@"nu-complete mcpwrap serve token_type" # Take only at+jwt for access tokens, or also JWT and none [default: by --idp]
    --keys-cool-down: string  # Look for a key that is unknown no more often than this [default: 30s]
    --ca-file: path           # Trust the certificate authorities of this PEM file too, for the provider and the vault
    --audience: string        # Require this audience (repeatable) [default: the public URL]
    --algorithm: string       # Accept this signature algorithm (repeatable) [default: RS256,PS256,ES256,ES384,EdDSA]
    --required-scope: string  # Require this scope (repeatable)
    --offer-scope: string     # Tell clients to ask the provider for this scope too, without requiring it (repeatable)
    --user-claim: string      # Take the user from this claim [default: by --idp]
    --tenant-claim: string    # Take the tenant from this claim [default: by --idp]
    --groups-claim: string    # Take the groups from this claim [default: by --idp]
    --allow-tenant: string    # Let in users of this tenant only (repeatable)
    --allow-user: string      # Let in this user, or service:NAME; without any --allow-…, everybody (repeatable)
    --allow-group: string     # Let in this group (repeatable)
    --allow-domain: string    # Let in verified addresses of this e-mail domain (repeatable)
    --machines: string@"nu-complete mcpwrap serve machines" # Let services in that act for themselves [default: refuse]
    --introspection-when: string@"nu-complete mcpwrap serve introspection_when" # Ask the issuer about opaque tokens, or always, so that it can withdraw any [default: opaque]
    --introspection-cache: string # Believe for so long that a token is active, at most 1m [default: 1m]
    --introspection-endpoint: string # Ask here about opaque tokens [default: from the issuer's metadata]
    --introspection-client-id: string # Ask about opaque tokens as this client, of the issuer NAME where there are several
    --introspection-client-secret-file: path # Read that client's secret from this file
    --env: string             # Add a variable to the child's environment (repeatable)
    --credential: string      # Add a credential to the child's environment (repeatable)
    --cwd: directory          # Start the child in this directory
    --child-scope: string@"nu-complete mcpwrap serve child_scope" # Share a child between all clients of a user, or start one per session [default: user]
    --child-era: string@"nu-complete mcpwrap serve child_era" # Speak this era of MCP with the child [default: auto]
    --start-timeout: string   # Give up a child that is not ready so long after its own start [default: 60s]
    --start-wait: string      # Let a call wait so long for a child's turn to start, or to start again after a crash [default: 2m]
    --call-timeout: string    # Give up a call that is silent for this time, and any after six times that [default: 10m]
    --hold-limit: string      # Hold what could be confused with another client's call for this time [default: 5s]
    --child-idle: string      # Stop a child without work after this time [default: 15m]
    --grace: string           # Let calls go on so long when mcpwrap or a child is to end [default: 30s, dev: 5s]
    --max-line: string        # Refuse longer lines from the child [default: 64MiB]
    --roots: directory        # Name this directory when the child asks for its roots (repeatable)
    --name: string            # Call the server so in client settings [default: from the command]
    --isolation: string@"nu-complete mcpwrap serve isolation" # Build the strongest walls there are or refuse to start; basic: Landlock and seccomp alone [default: strict]
    --uid-range: string       # Run children under these user ids [default: as root, a range that no local file names]
    --allow-read: path        # Let children read this file or directory too (repeatable)
    --allow-write: path       # Let the children of all users write to this file or directory too (repeatable)
    --home-scope: string@"nu-complete mcpwrap serve home_scope" # Give a home to each authority of a user, or to each user [default: authority]
    --home-size: string       # Let a home use so much of the disk [default: 1GiB]
    --credential-file: string # Put a credential into a file of the child, its path into the variable (repeatable)
    --allow-shared-credential: string # Accept that all users share this credential (repeatable)
    --master-key: string      # Take the key of the encrypted store from here [default: a file in the state directory]
    --max-children: string    # Run at most so many children [default: 256]
    --max-children-per-user: string # Run at most so many children for a user [default: 4]
    --max-starts: string      # Start at most so many children at a time [default: half the cores, at least 1]
    --memory-per-user: string # Hold at most so much for a user [default: 64MiB]
    --listen: string          # Listen on this address, port 0 for a free one [default: 127.0.0.1:8808]
    --path: string            # Serve MCP at this path [default: /mcp]
    --allow-origin: string    # Accept web pages of this origin (repeatable)
    --allow-host: string      # Accept requests to this host name (repeatable)
    --legacy-sse: string@"nu-complete mcpwrap serve legacy_sse" # Serve the HTTP+SSE transport of 2024-11-05 too [default: false]
    --max-body: string        # Refuse larger requests [default: 10MiB]
    --memory: string          # Hold at most so much for all users: sessions, stored events, bodies, unread results [default: 512MiB]
    --keep-alive: string      # Send a sign of life on quiet streams this often [default: 15s]
    --session-idle: string    # End sessions without requests after this time [default: 30m]
    --sealed-ttl: string      # Give up calls that wait for the user's answers after this time [default: 5m]
    --audit: path             # Append audit records to this file, - for stderr
    --audit-durability: string@"nu-complete mcpwrap serve audit_durability" # Dispatch a call once its record has left the process, or is on the disk [default: written]
    --state-dir: directory    # Keep state in this directory
    --threads: string         # Work on this many threads; the children need the other cores [default: half the cores]
    --log-format: string@"nu-complete mcpwrap serve log_format" # Write the log in this form [default: text]
    --verbose(-v)             # Log more; twice for everything
    --help(-h)                # Print help
  ]

  def "nu-complete mcpwrap demo log_format" [] {
    [ "text" "json" ]
  }

  # Show the production path on this machine, with nothing to install
  export extern "mcpwrap demo" [
    --once                    # Show everything once, and exit
    --log-format: string@"nu-complete mcpwrap demo log_format" # Write the log in this form [default: text]
    --verbose(-v)             # Log more; twice for everything
    --help(-h)                # Print help
  ]

  def "nu-complete mcpwrap check idp" [] {
    [ "generic" "okta" "entra" "auth0" "keycloak" "cognito" "google" "github" ]
  }

  def "nu-complete mcpwrap check token_type" [] {
    [ "strict" "lenient" ]
  }

  def "nu-complete mcpwrap check machines" [] {
    [ "refuse" "accept" ]
  }

  def "nu-complete mcpwrap check introspection_when" [] {
    [ "opaque" "always" ]
  }

  def "nu-complete mcpwrap check child_scope" [] {
    [ "user" "session" ]
  }

  def "nu-complete mcpwrap check child_era" [] {
    [ "auto" "legacy" "modern" ]
  }

  def "nu-complete mcpwrap check isolation" [] {
    [ "strict" "basic" ]
  }

  def "nu-complete mcpwrap check home_scope" [] {
    [ "authority" "user" ]
  }

  def "nu-complete mcpwrap check legacy_sse" [] {
    [ "true" "false" ]
  }

  def "nu-complete mcpwrap check audit_durability" [] {
    [ "written" "synced" ]
  }

  def "nu-complete mcpwrap check log_format" [] {
    [ "text" "json" ]
  }

  # Say what is wrong with the options of serve before users do
  export extern "mcpwrap check" [
    --config: path            # Read settings from this TOML file, keys named like the flags
    --public-url: string      # Tell clients that this is the endpoint
    --trusted-proxy: string   # Believe these proxies when X-Forwarded-For says who is behind them (repeatable)
    --oidc: string            # Accept tokens of this issuer (repeatable)
    --idp: string@"nu-complete mcpwrap check idp" # Expect the habits of this identity provider, of one issuer or all [default: generic]
    --client: string          # Take only tokens of this client, of one issuer or all; google and github need it (repeatable)
    --client-secret-file: path # Read that client's secret from this file; github needs it (repeatable)
    --api-url: string         # Ask the provider's API here, like GitHub Enterprise's [default: the public one]
    --token-type: string@"nu-complete mcpwrap check token_type" # Take only at+jwt for access tokens, or also JWT and none [default: by --idp]
    --keys-cool-down: string  # Look for a key that is unknown no more often than this [default: 30s]
    --ca-file: path           # Trust the certificate authorities of this PEM file too, for the provider and the vault
    --audience: string        # Require this audience (repeatable) [default: the public URL]
    --algorithm: string       # Accept this signature algorithm (repeatable) [default: RS256,PS256,ES256,ES384,EdDSA]
    --required-scope: string  # Require this scope (repeatable)
    --offer-scope: string     # Tell clients to ask the provider for this scope too, without requiring it (repeatable)
    --user-claim: string      # Take the user from this claim [default: by --idp]
    --tenant-claim: string    # Take the tenant from this claim [default: by --idp]
    --groups-claim: string    # Take the groups from this claim [default: by --idp]
    --allow-tenant: string    # Let in users of this tenant only (repeatable)
    --allow-user: string      # Let in this user, or service:NAME; without any --allow-…, everybody (repeatable)
    --allow-group: string     # Let in this group (repeatable)
    --allow-domain: string    # Let in verified addresses of this e-mail domain (repeatable)
    --machines: string@"nu-complete mcpwrap check machines" # Let services in that act for themselves [default: refuse]
    --introspection-when: string@"nu-complete mcpwrap check introspection_when" # Ask the issuer about opaque tokens, or always, so that it can withdraw any [default: opaque]
    --introspection-cache: string # Believe for so long that a token is active, at most 1m [default: 1m]
    --introspection-endpoint: string # Ask here about opaque tokens [default: from the issuer's metadata]
    --introspection-client-id: string # Ask about opaque tokens as this client, of the issuer NAME where there are several
    --introspection-client-secret-file: path # Read that client's secret from this file
    --env: string             # Add a variable to the child's environment (repeatable)
    --credential: string      # Add a credential to the child's environment (repeatable)
    --cwd: directory          # Start the child in this directory
    --child-scope: string@"nu-complete mcpwrap check child_scope" # Share a child between all clients of a user, or start one per session [default: user]
    --child-era: string@"nu-complete mcpwrap check child_era" # Speak this era of MCP with the child [default: auto]
    --start-timeout: string   # Give up a child that is not ready so long after its own start [default: 60s]
    --start-wait: string      # Let a call wait so long for a child's turn to start, or to start again after a crash [default: 2m]
    --call-timeout: string    # Give up a call that is silent for this time, and any after six times that [default: 10m]
    --hold-limit: string      # Hold what could be confused with another client's call for this time [default: 5s]
    --child-idle: string      # Stop a child without work after this time [default: 15m]
    --grace: string           # Let calls go on so long when mcpwrap or a child is to end [default: 30s, dev: 5s]
    --max-line: string        # Refuse longer lines from the child [default: 64MiB]
    --roots: directory        # Name this directory when the child asks for its roots (repeatable)
    --name: string            # Call the server so in client settings [default: from the command]
    --isolation: string@"nu-complete mcpwrap check isolation" # Build the strongest walls there are or refuse to start; basic: Landlock and seccomp alone [default: strict]
    --uid-range: string       # Run children under these user ids [default: as root, a range that no local file names]
    --allow-read: path        # Let children read this file or directory too (repeatable)
    --allow-write: path       # Let the children of all users write to this file or directory too (repeatable)
    --home-scope: string@"nu-complete mcpwrap check home_scope" # Give a home to each authority of a user, or to each user [default: authority]
    --home-size: string       # Let a home use so much of the disk [default: 1GiB]
    --credential-file: string # Put a credential into a file of the child, its path into the variable (repeatable)
    --allow-shared-credential: string # Accept that all users share this credential (repeatable)
    --master-key: string      # Take the key of the encrypted store from here [default: a file in the state directory]
    --max-children: string    # Run at most so many children [default: 256]
    --max-children-per-user: string # Run at most so many children for a user [default: 4]
    --max-starts: string      # Start at most so many children at a time [default: half the cores, at least 1]
    --memory-per-user: string # Hold at most so much for a user [default: 64MiB]
    --listen: string          # Listen on this address, port 0 for a free one [default: 127.0.0.1:8808]
    --path: string            # Serve MCP at this path [default: /mcp]
    --allow-origin: string    # Accept web pages of this origin (repeatable)
    --allow-host: string      # Accept requests to this host name (repeatable)
    --legacy-sse: string@"nu-complete mcpwrap check legacy_sse" # Serve the HTTP+SSE transport of 2024-11-05 too [default: false]
    --max-body: string        # Refuse larger requests [default: 10MiB]
    --memory: string          # Hold at most so much for all users: sessions, stored events, bodies, unread results [default: 512MiB]
    --keep-alive: string      # Send a sign of life on quiet streams this often [default: 15s]
    --session-idle: string    # End sessions without requests after this time [default: 30m]
    --sealed-ttl: string      # Give up calls that wait for the user's answers after this time [default: 5m]
    --audit: path             # Append audit records to this file, - for stderr
    --audit-durability: string@"nu-complete mcpwrap check audit_durability" # Dispatch a call once its record has left the process, or is on the disk [default: written]
    --state-dir: directory    # Keep state in this directory
    --threads: string         # Work on this many threads; the children need the other cores [default: half the cores]
    --log-format: string@"nu-complete mcpwrap check log_format" # Write the log in this form [default: text]
    --verbose(-v)             # Log more; twice for everything
    --help(-h)                # Print help
  ]

  # Keep, list and forget secrets in the encrypted store and the OS keyring
  export extern "mcpwrap secret" [
    --help(-h)                # Print help
  ]

  # Keep a secret, read from stdin
  export extern "mcpwrap secret set" [
    --from-file: path         # Read the value from this file instead of stdin
    --issuer: string          # Name the issuer of the user's tokens
    --tenant: string          # Name the user's tenant, where one is configured
    --subject: string         # Name the user as his tokens do
    --state-dir: directory    # Find the store in this directory
    --master-key: string      # Take the key of the store from here [default: a file in the state directory]
    --help(-h)                # Print help
    source: string            # Keep it here: store:NAME or keyring:SERVICE/ACCOUNT
  ]

  # List the secrets in the store, without their values
  export extern "mcpwrap secret list" [
    --issuer: string          # Name the issuer of the user's tokens
    --tenant: string          # Name the user's tenant, where one is configured
    --subject: string         # Name the user as his tokens do
    --state-dir: directory    # Find the store in this directory
    --master-key: string      # Take the key of the store from here [default: a file in the state directory]
    --help(-h)                # Print help
  ]

  # Forget a secret
  export extern "mcpwrap secret rm" [
    --issuer: string          # Name the issuer of the user's tokens
    --tenant: string          # Name the user's tenant, where one is configured
    --subject: string         # Name the user as his tokens do
    --state-dir: directory    # Find the store in this directory
    --master-key: string      # Take the key of the store from here [default: a file in the state directory]
    --help(-h)                # Print help
    source: string            # Forget this one: store:NAME or keyring:SERVICE/ACCOUNT
  ]

  def "nu-complete mcpwrap completions shell" [] {
    [ "bash" "zsh" "fish" "powershell" "elvish" "nushell" ]
  }

  # Print a completion script
  export extern "mcpwrap completions" [
    --help(-h)                # Print help (see more with '--help')
    shell: string@"nu-complete mcpwrap completions shell" # Write for this shell
  ]

  # Print the manual
  export extern "mcpwrap man" [
    --dir: directory          # Write all pages into this directory instead of the first to stdout
    --help(-h)                # Print help
  ]

}

export use completions *
