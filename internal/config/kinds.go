package config

import (
	"github.com/goccy/go-yaml"

	"github.com/rosterd/rosterd/internal/mapping"
)

// kind is what there is to know of a kind of connection.
type kind struct {
	name    Kind
	section string // the key of its settings; "": it has none
	example string // what a message suggests where they are missing
	keys    []string
	read    func(*section, *Connection)
	shown   func(*Connection) yaml.MapSlice // its settings without a secret; nil: they are not set
	base    func() mapping.Mapping          // nil: it pulls from nothing
	deltas  bool                            // whether the IdP tells what has changed
}

// pulls reports whether runs read from something.
func (k kind) pulls() bool { return k.base != nil }

// kinds has one entry for each kind of connection. docs/adding-a-connector.md says what goes with a new one.
func kinds() []kind {
	return []kind{{
		name: KindEntra, section: "entra", example: "{ tenant_id: ..., client_id: ..., client_secret: ..., service_principal_id: ... }",
		keys: []string{"tenant_id", "client_id", "client_secret", "service_principal_id", "graph_url", "access_token",
			"cloud", "certificate", "send_certificate_chain", "workload_identity", "federated_token_file", "managed_identity",
			"scope", "sync", "nested_groups"},
		read: func(s *section, c *Connection) { c.Entra = readEntra(s) }, shown: shownEntra,
		base: mapping.Entra, deltas: true,
	}, {
		name: KindOkta, section: "okta", example: "{ org_url: ..., app_id: ..., api_token: ... }",
		keys: []string{"org_url", "app_id", "api_token", "client_id", "private_key", "key_id", "scopes", "teams", "suspended"},
		read: func(s *section, c *Connection) { c.Okta = readOkta(s) }, shown: shownOkta,
		base: mapping.Okta, deltas: true,
	}, {
		name: KindSCIMSource, section: "scim", example: "{ url: ..., token: ... }",
		keys: []string{"url", "token", "users_filter", "groups_filter"},
		read: func(s *section, c *Connection) { c.SCIM = readSCIMSource(s) }, shown: shownSCIMSource,
		base: mapping.SCIM,
	}, {
		name: KindSCIM,
	}}
}

func kindOf(name Kind) (kind, bool) {
	for _, k := range kinds() {
		if k.name == name {
			return k, true
		}
	}
	return kind{}, false
}

// connectionKeys are the keys of a connection's entry.
func connectionKeys() []string {
	keys := []string{"organisation", "name", "kind", "schedule", "mapping", "scope", "match", "policy"}
	for _, k := range kinds() {
		if k.section != "" {
			keys = append(keys, k.section)
		}
	}
	return keys
}
