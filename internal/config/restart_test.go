package config_test

import (
	"strings"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/config"
)

func TestRestartsOfEntrasJobAreOptedInto(t *testing.T) {
	const entra = `connections:
  - organisation: default
    name: entra
    kind: entra
    entra:
      tenant_id: 00000000-0000-0000-0000-000000000000
      service_principal_id: 00000000-0000-0000-0000-000000000000
      graph_url: http://localhost:9000
      access_token: literal
`
	for policy, want := range map[string]struct {
		after   time.Duration
		problem string
	}{
		"":                              {},
		"    policy: { settle: 10m }\n": {},
		"    policy: { restart_quarantined_job: 24h }\n":   {after: 24 * time.Hour},
		"    policy: { restart_quarantined_job: 0s }\n":    {},
		"    policy: { restart_quarantined_job: 5m }\n":    {problem: `restart_quarantined_job "5m" is no time between two restarts: write a number and a unit, 1h or more`},
		"    policy: { restart_quarantined_job: daily }\n": {problem: `restart_quarantined_job "daily" is no time between two restarts`},
	} {
		got, err := config.Load(write(t, entra+policy), environment())
		switch {
		case want.problem != "":
			if err == nil || !strings.Contains(err.Error(), want.problem) {
				t.Errorf("%q: %v", policy, err)
			}
		case err != nil:
			t.Errorf("%q: %v", policy, err)
		case got.Connections[0].Policy.RestartQuarantinedJob != want.after:
			t.Errorf("%q reads %s", policy, got.Connections[0].Policy.RestartQuarantinedJob)
		}
	}
	_, err := config.Load(write(t, "connections:\n  - { organisation: a, name: push, kind: scim, policy: { restart_quarantined_job: 24h } }\n"), environment())
	if err == nil || !strings.Contains(err.Error(), "restart_quarantined_job is for connections of kind entra: take it out") {
		t.Errorf("push only: %v", err)
	}
}
