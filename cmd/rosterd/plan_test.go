package main

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rosterd/rosterd/internal/api/client"
)

func action(kind, act, name, reason string) client.Action {
	return client.Action{Kind: kind, Action: act, Subject: client.Subject{Name: name}, Reason: reason, State: "planned"}
}

func planned() client.Run {
	held := action("orphaned_member", "deactivate", "bob@example.com", "no longer assigned to the application")
	held.State, held.Note = "held", "members over 24 hours"
	elsewhere := action("orphaned_member", "none", "eve@example.com", "no longer assigned to the application")
	elsewhere.State, elsewhere.Note = "listed", "held by run 0198"
	listed := action("stale_member", "none", "carol@example.com", "externalId was written by a push; the identity provider's has not changed since")
	listed.State = "listed"
	return client.Run{
		Run: "0197a2c0", Connection: "entra", Mode: "dry", State: "partial", Complete: false,
		Actions: []client.Action{
			action("missing_member", "create", "ada@example.com", "assigned directly and enabled there, unknown here"),
			action("redundant_soft_delete", "reactivate", "zoë@example.com", "deactivated here, in scope and enabled there"),
			action("stale_team", "update", "Engineering", "displayName differs"),
			held, elsewhere, listed,
			action("extra_membership", "remove", "a-very-long-user-name-indeed@example.com in Engineering", "the group's whole list\ndoes not hold the person"),
			action("conflict", "none", "dan\x1b[2J@example.com", "a local member has this user name: members adopt"),
		},
		Totals:     map[string]int{"missing_member": 1, "redundant_soft_delete": 1, "stale_team": 1, "orphaned_member": 1, "extra_membership": 1, "stale_member": 0},
		Held:       []client.HeldLimit{{Limit: "members", Text: "members: 1 of 40 would be deactivated over 24 hours, and this is the first run"}},
		Incomplete: []string{"members of Sales: page 3 answered 503"},
	}
}

func TestPlanText(t *testing.T) {
	failed := client.Run{Run: "r", Connection: "entra", Mode: "full", State: "failed", Error: "the tenant refused the client secret"}
	applied := planned()
	applied.Mode, applied.State, applied.Complete, applied.Incomplete = "full", "held", true, nil
	applied.Actions[0].State, applied.Actions[2].State, applied.Actions[2].Note = "applied", "skipped", "changed since"
	member := "01a20a6f-2e1b-735b-bacb-39e499518008"
	one := client.Run{
		Run: "01a20a6f-2e90-7961-97bd-0fe7240e41bf", Connection: "entra", Mode: "one", State: "partial",
		Note: "memberships were left as they are: Graph refused to give the groups of a user (403). Grant the app registration the application permission Directory.Read.All.",
		Person: &client.Person{
			Key: "ada@example.com", MemberID: &member, ObjectID: "15e94eff-aaf0-47a4-b4fd-fc3efbe08c8a",
			There: "in scope: assigned directly; enabled; userName ada@example.com; displayName Ada\x1b[2J King",
			Here:  "deactivated by a push; userName ada@example.com; memberships suspended; last push 2026-01-02T03:04:05Z",
			Done:  "did not reactivate: the member has changed since", Wanted: map[string]string{"displayName": "Ada King", "externalId": "e", "userName": "ada@example.com"},
			Stored: map[string]string{"displayName": "Ada Lovelace", "externalId": "", "userName": "ada@example.com"},
		},
		Actions: []client.Action{action("redundant_soft_delete", "reactivate", "ada@example.com", "in scope and enabled there, deactivated here")},
		Totals:  map[string]int{"redundant_soft_delete": 1},
	}
	one.Actions[0].State, one.Actions[0].Note = "skipped", "the member has changed since"
	for name, tc := range map[string]struct {
		run      client.Run
		coloured bool
	}{
		"person":  {one, false},
		"dry":     {planned(), false},
		"colour":  {planned(), true},
		"held":    {applied, false},
		"nothing": {client.Run{Run: "r", Connection: "entra", Mode: "dry", State: "done", Complete: true}, false},
		"failed":  {failed, false},
		"queued":  {client.Run{Run: "r", Connection: "entra", Mode: "full", State: "queued"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			got := plan{coloured: tc.coloured}.text(tc.run)
			golden := filepath.Join("testdata", "plan-"+name+".golden")
			if flag.Lookup("update").Value.String() == "true" {
				if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			if !tc.coloured && strings.Contains(got, "\x1b") {
				t.Error("an escape sequence in plain text")
			}
		})
	}
}

func TestMain(m *testing.M) {
	flag.Bool("update", false, "write the golden files anew")
	code := m.Run()
	removeBinary()
	os.Exit(code)
}
