package main

import (
	"context"
	"slices"
	"strings"
	"testing"
)

func TestATeamIsShownWithWhoIsAwaitedInIt(t *testing.T) {
	routes := map[string][]string{
		"GET /orgs/o/teams/Eng":       {`200 {"id":"1","display_name":"Eng","external_id":"","managed":true,"status":"active","connection":"okta","members":["ada"],"awaited":1,"links":[{"connection":"okta","object_id":"00g1","state":"on","rule":"displayName","since":"2026-01-01T00:00:00Z"}]}`},
		"GET /orgs/o/teams/1/awaited": {`200 ` + page(`{"value":"00u1","since":"2026-01-01T00:00:00Z","token":"idp\u001b[0m","request":"r"}`)},
	}
	f := startDaemon(t, routes)
	got := f.rosterd(context.Background(), "teams show Eng --org o --json")
	const want = `{"awaited":1,"awaited_members":[{"request":"r","since":"2026-01-01T00:00:00Z","token":"idp\u001b[0m","value":"00u1"}],` +
		`"connection":"okta","display_name":"Eng","external_id":"","id":"1","links":[{"connection":"okta","object_id":"00g1","rule":"displayName","since":"2026-01-01T00:00:00Z","state":"on"}],` +
		`"managed":true,"members":["ada"],"status":"active","undone":[]}`
	if got.code != exitDone || compact(t, got.out) != want {
		t.Errorf("exit code %d, %s\nwant %s", got.code, got.out, want)
	}
	if asked := f.requests(); !slices.Equal(asked, []string{"GET /orgs/o/teams/Eng", "GET /orgs/o/teams/1/awaited?limit=1000"}) {
		t.Errorf("asked %q", asked)
	}
	human := startDaemon(t, routes).rosterd(context.Background(), "teams show Eng --org o")
	for _, words := range []string{"team         Eng\n", "connection   okta\n", "members      1\n  ada\n", "awaited      1\n", "link         okta 00g1 (on, by displayName, since 2026-01-01", "  00u1", "2026-01-01", "idp\ufffd[0m"} {
		if !strings.Contains(human.out, words) {
			t.Errorf("%q is not in\n%s", words, human.out)
		}
	}
}

func TestTheListOfTeamsCountsWhoIsAwaited(t *testing.T) {
	routes := map[string][]string{"GET /orgs/o/teams": {`200 ` + page(
		`{"id":"1","display_name":"Eng","managed":true,"status":"active","members":["ada"],"awaited":2}`, `{"id":"2","display_name":"Ops","status":"active"}`)}}
	got := startDaemon(t, routes).rosterd(context.Background(), "teams list --org o")
	if lines := strings.Split(got.out, "\n"); len(lines) != 4 || !strings.HasSuffix(lines[0], "AWAITED") || !strings.HasSuffix(lines[1], "  2") || !strings.HasSuffix(lines[2], "  0") {
		t.Errorf("printed\n%s", got.out)
	}
	got = startDaemon(t, routes).rosterd(context.Background(), "teams list --org o --json")
	if text := compact(t, got.out); !strings.Contains(text, `"awaited":2`) || strings.Count(text, "awaited") != 1 {
		t.Errorf("printed %s", text)
	}
}
