package config

import (
	"fmt"
	"net/url"

	"github.com/goccy/go-yaml"
)

// Redacted returns the configuration as it holds now, in the file's form, without a secret in it.
func (c *Config) Redacted() string {
	organisations := make([]yaml.MapSlice, 0, len(c.Organisations))
	for i := range c.Organisations {
		organisations = append(organisations, c.Organisations[i].redacted())
	}
	entries := make([]yaml.MapSlice, 0, len(c.Connections))
	for i := range c.Connections {
		entries = append(entries, c.Connections[i].redacted())
	}
	text, err := yaml.Marshal(yaml.MapSlice{
		{Key: "listen", Value: c.Listen},
		{Key: "public_url", Value: c.PublicURL},
		{Key: "data_dir", Value: c.DataDir},
		{Key: "database_url", Value: redactedDatabase(c.DatabaseURL)},
		{Key: "trusted_proxies", Value: textsOf(c.TrustedProxies)},
		{Key: "metrics_listen", Value: c.MetricsListen},
		{Key: "request_log", Value: yaml.MapSlice{
			{Key: "keep", Value: formatKeep(c.RequestLog.Keep)}, {Key: "max_rows", Value: c.RequestLog.MaxRows},
			{Key: "reads", Value: c.RequestLog.Reads},
		}},
		{Key: "history", Value: c.History.redacted()},
		{Key: "tracing", Value: c.Tracing.redacted()},
		{Key: "alerts", Value: c.Alerts.redacted()},
		{Key: "organisations", Value: organisations},
		{Key: "connections", Value: entries},
	})
	if err != nil {
		return fmt.Sprintf("# the configuration can't be shown: %v\n", err)
	}
	return string(text)
}

func (c *Connection) redacted() yaml.MapSlice {
	entry := yaml.MapSlice{
		{Key: "organisation", Value: c.Organisation},
		{Key: "name", Value: c.Name},
		{Key: "kind", Value: string(c.Kind)},
	}
	for _, k := range kinds() {
		if k.section == "" {
			continue
		}
		if settings := k.shown(c); settings != nil {
			entry = append(entry, yaml.MapItem{Key: k.section, Value: settings})
		}
	}
	entry = append(entry, c.shownMapping()...)
	if len(c.Match) > 0 {
		entry = append(entry, yaml.MapItem{Key: "match", Value: c.Match})
	}
	if w := c.Schedule; w != nil {
		entry = append(entry, yaml.MapItem{Key: "schedule", Value: w.shown()})
	}
	return append(entry, yaml.MapItem{Key: "policy", Value: c.Policy.redacted()})
}

func shownEntra(c *Connection) yaml.MapSlice {
	e := c.Entra
	if e == nil {
		return nil
	}
	settings := withoutEmpty(
		"tenant_id", e.TenantID, "client_id", e.ClientID, "client_secret", masked(e.ClientSecret), "certificate", masked(e.Certificate))
	if e.SendCertificateChain {
		settings = append(settings, yaml.MapItem{Key: "send_certificate_chain", Value: true})
	}
	return append(settings, withoutEmpty(
		"federated_token_file", e.FederatedTokenFile, "managed_identity", e.ManagedIdentity,
		"service_principal_id", e.ServicePrincipalID, "cloud", e.Cloud, "graph_url", e.GraphURL, "scope", e.Scope, "sync", e.Sync, "nested_groups", onlyTrue(e.NestedGroups),
		"access_token", masked(e.AccessToken))...)
}

func shownOkta(c *Connection) yaml.MapSlice {
	o := c.Okta
	if o == nil {
		return nil
	}
	settings := withoutEmpty("org_url", o.OrgURL, "app_id", o.AppID, "api_token", masked(o.APIToken),
		"client_id", o.ClientID, "private_key", masked(o.PrivateKey), "key_id", o.KeyID)
	if len(o.Scopes) > 0 {
		settings = append(settings, yaml.MapItem{Key: "scopes", Value: o.Scopes})
	}
	return append(settings, withoutEmpty("teams", o.Teams, "suspended", o.Suspended)...)
}

func shownSCIMSource(c *Connection) yaml.MapSlice {
	if c.SCIM == nil {
		return nil
	}
	return withoutEmpty("url", c.SCIM.URL, "token", masked(c.SCIM.Token),
		"users_filter", c.SCIM.UsersFilter, "groups_filter", c.SCIM.GroupsFilter)
}

// withoutEmpty makes a mapping of keys and values that follow one another.
func withoutEmpty(pairs ...string) yaml.MapSlice {
	var m yaml.MapSlice
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			m = append(m, yaml.MapItem{Key: pairs[i], Value: pairs[i+1]})
		}
	}
	return m
}

// onlyTrue is text for a flag that is shown where it is set.
func onlyTrue(flag bool) string {
	if flag {
		return "true"
	}
	return ""
}

func masked(s Secret) string {
	if s == "" {
		return ""
	}
	return s.String()
}

// redactedDatabase keeps what says which database it is: host and path.
func redactedDatabase(s Secret) string {
	if s == "" {
		return ""
	}
	u, err := url.Parse(s.Reveal())
	if err != nil {
		return s.String()
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}
