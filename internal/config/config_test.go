package config_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rosterd/rosterd/configs"
	"github.com/rosterd/rosterd/internal/config"
)

const zeroGUID = "00000000-0000-0000-0000-000000000000"

func noEnv(string) (string, bool) { return "", false }

func environment(pairs ...string) func(string) (string, bool) {
	values := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		values[pairs[i]] = pairs[i+1]
	}
	return func(name string) (string, bool) { v, ok := values[name]; return v, ok }
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rosterd.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// problems loads text and returns its problems with "FILE" in place of the path.
func problems(t *testing.T, text string, env func(string) (string, bool)) string {
	t.Helper()
	path := write(t, text)
	c, err := config.Load(path, env)
	if err == nil {
		t.Fatalf("loaded %+v", c)
	}
	if c != nil {
		t.Errorf("a configuration beside the error: %+v", c)
	}
	return strings.ReplaceAll(err.Error(), path, "FILE")
}

func TestWithoutAFileTheDefaultsHold(t *testing.T) {
	got, err := config.Load("", noEnv)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, config.Default()) {
		t.Errorf("got %+v", got)
	}
	if _, err := config.Load(filepath.Join(t.TempDir(), "none.yaml"), noEnv); err == nil || !strings.Contains(err.Error(), "none.yaml") {
		t.Errorf("a missing file: %v", err)
	}
	for _, text := range []string{"", "# nothing\n", "---\n", "listen:\npublic_url: \"\"\nconnections:\n"} {
		got, err := config.Load(write(t, text), noEnv)
		if err != nil || !reflect.DeepEqual(got, config.Default()) {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
}

func TestSampleEqualsDefaults(t *testing.T) {
	got, err := config.Load(write(t, configs.Sample), noEnv)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, config.Default()) {
		t.Errorf("the sample sets %+v", got)
	}
}

func TestSampleConnectionLoadsAndShowsDefaults(t *testing.T) {
	// A setting that is commented out has "#" without one single space after it.
	_, commented, _ := strings.Cut(configs.Sample, "#connections")
	text := regexp.MustCompile(`(?m)^#(\S|  )`).ReplaceAllString("#connections"+commented, "$1")
	got, err := config.Load(write(t, text), environment("ENTRA_CLIENT_SECRET", "hush\n", "OKTA_API_TOKEN", "hush", "SCIM_TOKEN", "hush"))
	if err != nil {
		t.Fatalf("%v\nin\n%s", err, text)
	}
	policy := config.Policy{AdoptLocal: config.AdoptNever, Settle: config.DefaultSettle, PullDeadline: 6 * time.Hour, Guards: config.DefaultGuards()}
	want := []config.Connection{{
		Organisation: "default", Name: "entra", Kind: config.KindEntra, Line: 2,
		Entra: &config.Entra{
			TenantID: zeroGUID, ClientID: zeroGUID, ClientSecret: "hush", ServicePrincipalID: zeroGUID,
			GraphURL: config.DefaultGraphURL,
		},
		Policy: policy,
	}, {
		Organisation: "default", Name: "okta", Kind: config.KindOkta, Policy: policy,
		Okta: &config.Okta{
			OrgURL: "https://acme.okta.com", AppID: "0oa1b2c3d4", APIToken: "hush", Teams: config.TeamsPush, Suspended: config.SuspendedOff,
		},
		Mapping: []config.MappingLine{
			{Target: "displayName", Source: `= Join(" ", firstName, lastName)`}, {Target: "title", Source: "title", Empty: config.EmptyKeep},
			{Target: "active", Source: `= userStatus != "SUSPENDED" and appUserStatus != "SUSPENDED"`},
		},
		Teams: []config.MappingLine{{Target: "displayName", Source: `= RegexReplace(name, "^SG-App-", "")`}},
		Scope: `= department == "Sales" and userType == "Member"`,
		Match: []string{"id", "externalId", "userName", "email"},
		Schedule: &config.Schedule{Delta: "*/5 * * * *", Full: "0 3 * * *", TimeZone: config.DefaultTimeZone, Jitter: config.DefaultJitter, Lifeline: config.DefaultLifeline,
			Blackout: []string{"Mon-Fri 08:00-18:00", "2026-12-24..2027-01-02"}},
	}, {
		Organisation: "default", Name: "hr", Kind: config.KindSCIMSource, Policy: policy,
		SCIM: &config.SCIMSource{URL: "https://scim.example.com/v2", Token: "hush"},
	}}
	for i := range got.Connections {
		got.Connections[i].Line = 0
	}
	want[0].Line = 0
	if !reflect.DeepEqual(got.Connections, want) {
		t.Errorf("got  %s", got.Redacted())
	}
}

func TestSampleNamesEverySetting(t *testing.T) {
	for _, key := range []string{
		"listen", "public_url", "data_dir", "database_url", "connections", "organisation", "name", "kind", "entra",
		"tenant_id", "client_id", "client_secret", "service_principal_id", "graph_url", "access_token", "policy",
		"adopt_local", "settle", "restart_quarantined_job", "pull_deadline", "okta", "org_url", "app_id", "api_token", "teams", "suspended",
		"mapping", "active", "team", "scope", "match", "schedule", "delta", "full", "timezone", "jitter", "lifeline", "blackout", "request_log", "keep", "max_rows", "reads", "history", "runs", "actions", "min_runs", "tracing", "endpoint", "headers", "sample",
		"trusted_proxies", "metrics_listen", "private_key", "key_id", "scopes", "scim", "url", "token", "users_filter", "groups_filter",
		"cloud", "certificate", "send_certificate_chain", "workload_identity", "federated_token_file", "managed_identity",
		"scope", "sync", "nested_groups",
	} {
		if !regexp.MustCompile(`(?m)^[# -]*` + key + `:`).MatchString(configs.Sample) {
			t.Errorf("the sample doesn't list %s", key)
		}
	}
}

func TestEnvironmentAndFlagsStandAboveTheFile(t *testing.T) {
	path := write(t, "listen: 127.0.0.1:1\npublic_url: https://file.example/\ndata_dir: /file\ndatabase_url: postgres://file/x\n")
	got, err := config.Load(path, environment("ROSTERD_LISTEN", ":2", "ROSTERD_DATABASE_URL", "postgres://u:pw@env/x", "ROSTERD_DATA_DIR", ""))
	if err != nil {
		t.Fatal(err)
	}
	want := config.Default()
	want.Listen, want.PublicURL, want.DataDir, want.DatabaseURL = ":2", "https://file.example", "/file", "postgres://u:pw@env/x"
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %s", got.Redacted())
	}
	if err := got.Override(config.Overrides{Listen: ":3", PublicURL: "http://flag.example"}); err != nil {
		t.Fatal(err)
	}
	if got.Listen != ":3" || got.PublicURL != "http://flag.example" || got.DataDir != "/file" {
		t.Errorf("after the flags: %s", got.Redacted())
	}
	err = got.Override(config.Overrides{Listen: "x", DatabaseURL: "mysql://u:hush@x"})
	if err == nil || !strings.Contains(err.Error(), "--listen: ") || !strings.Contains(err.Error(), "--database-url: ") || strings.Contains(err.Error(), "hush") {
		t.Errorf("bad flags: %v", err)
	}
	_, err = config.Load("", environment("ROSTERD_PUBLIC_URL", "id.example.com"))
	if err == nil || !strings.HasPrefix(err.Error(), "ROSTERD_PUBLIC_URL: must be an absolute") {
		t.Errorf("a bad variable: %v", err)
	}
}

func TestLoadReadsEverySetting(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("from a file\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := config.Load(write(t, `database_url: "${env:DB}"
connections:
  - { organisation: a, name: one, kind: scim, policy: { adopt_local: by_email, settle: 90s, pull_deadline: 90m } }
  - organisation: b
    name: one
    kind: entra
    entra:
      tenant_id: ABCDEF01-0000-0000-0000-000000000000
      client_id: 00000000-0000-0000-0000-000000000000
      service_principal_id: 00000000-0000-0000-0000-000000000000
      client_secret: "${file:`+secret+`}"
      graph_url: http://[::1]:9000/graph/
  - organisation: b
    name: two
    kind: entra
    entra:
      tenant_id: 00000000-0000-0000-0000-000000000000
      service_principal_id: 00000000-0000-0000-0000-000000000000
      graph_url: http://localhost:9000
      access_token: literal
    schedule: { full: "  0  3 * *   MON", timezone: Europe/Berlin, jitter: 0s, lifeline: off, blackout: ["  Sat,Sun "] }
`), environment("DB", "postgres://u:pw@db/x"))
	if err != nil {
		t.Fatal(err)
	}
	never := config.Policy{AdoptLocal: config.AdoptNever, Settle: 10 * time.Minute, PullDeadline: 6 * time.Hour, Guards: config.DefaultGuards()}
	want := []config.Connection{
		{Organisation: "a", Name: "one", Kind: config.KindSCIM, Line: 3, Policy: config.Policy{AdoptLocal: config.AdoptByEmail, Settle: 90 * time.Second, PullDeadline: 90 * time.Minute, Guards: config.DefaultGuards()}},
		{Organisation: "b", Name: "one", Kind: config.KindEntra, Line: 4, Policy: never, Entra: &config.Entra{
			TenantID: "abcdef01-0000-0000-0000-000000000000", ClientID: zeroGUID, ServicePrincipalID: zeroGUID,
			ClientSecret: "from a file", GraphURL: "http://[::1]:9000/graph",
		}},
		{Organisation: "b", Name: "two", Kind: config.KindEntra, Line: 13, Policy: never, Entra: &config.Entra{
			TenantID: zeroGUID, ServicePrincipalID: zeroGUID, GraphURL: "http://localhost:9000", AccessToken: "literal",
		}, Schedule: &config.Schedule{Full: "0 3 * * MON", TimeZone: "Europe/Berlin", Blackout: []string{"Sat,Sun"}}},
	}
	if !reflect.DeepEqual(got.Connections, want) {
		t.Errorf("got %s", got.Redacted())
	}
	if got.DatabaseURL.Reveal() != "postgres://u:pw@db/x" {
		t.Error("the database's URL isn't what the variable says")
	}
}

func TestNothingPrintsASecret(t *testing.T) {
	c := &config.Config{
		DatabaseURL: "postgres://u:hush@db.example/x?password=hush",
		Connections: []config.Connection{{Name: "e", Entra: &config.Entra{ClientSecret: "hush", AccessToken: "hush"}, Okta: &config.Okta{APIToken: "hush"}, SCIM: &config.SCIMSource{Token: "hush"}}},
	}
	asJSON, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "config", c, "secret", c.DatabaseURL)
	e := *c.Connections[0].Entra
	for name, text := range map[string]string{
		"json": string(asJSON), "log": log.String(), "redacted": c.Redacted(),
		"%v": fmt.Sprintf("%v", e), "%+v": fmt.Sprintf("%+v", e), "%#v": fmt.Sprintf("%#v", e),
		"verbs": formatted(e.ClientSecret, "%s", "%x", "%q", "%d", "%08.3f", "%v"),
	} {
		if strings.Contains(text, "hush") || strings.Contains(text, "68757368") {
			t.Errorf("%s prints a secret: %s", name, text)
		}
	}
	if !strings.Contains(c.Redacted(), "postgres://db.example/x") || !strings.Contains(c.Redacted(), "[secret]") {
		t.Errorf("redacted: %s", c.Redacted())
	}
}

func formatted(value any, verbs ...string) string {
	var all strings.Builder
	for _, verb := range verbs {
		fmt.Fprintf(&all, verb, value)
	}
	return all.String()
}
