package main

import (
	"context"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestStatusReadsWellOn80Columns(t *testing.T) {
	long := strings.Repeat("long-", 12)
	answer := `{"version":"v1","database":"postgres","connections":[
		{"organisation":"default","name":"entra","kind":"entra","state":"ok","quarantine":null,
			"job":{"id":"scim.1","state":"active","last_steady_state":"2026-11-23T03:00:00Z","failures":0,"read_at":"2026-11-23T03:12:00Z",
				"last_cycle":{"began":"2026-11-23T02:50:00Z","ended":"2026-11-23T03:00:00Z","failed":false,"escrowed":2},
				"log_problem":"Graph refused to give the provisioning log (403). Grant the app registration the application permission AuditLog.Read.All, with admin consent."},
			"last_run":{"run":"r1","mode":"full","state":"done","finished_at":"2026-11-23T03:12:00Z"},
			"next_delta":"2026-11-23T10:05:00Z","next_full":"2026-11-24T03:00:00Z",
			"drift":{"missing_member":12,"stale_member":3,"orphaned_member":0,"missing_membership":140,"extra_membership":9,"redundant_soft_delete":2,"conflict":1}},
		{"organisation":"` + long + `","name":"` + long + `","kind":"okta","state":"detached","quarantine":null,"last_run":null,"next_delta":null,"next_full":null,"drift":{}},
		{"organisation":"default","name":"broken","kind":"okta","state":"failing","quarantine":{"reason":"TooManyDeletes","since":"2026-11-22T08:00:00Z","next_attempt":"2026-11-24T08:00:00Z"},
			"job":{"id":"scim.2","state":"quarantined","last_steady_state":null,"last_cycle":{"began":"2026-11-23T03:00:00Z","ended":"2026-11-23T03:01:00Z","failed":true,"escrowed":0,"error":"Unknown: no answer"},
				"failures":3,"read_at":"2026-11-23T03:12:00Z","problem":"Graph throttles requests"},
			"last_run":{"run":"0195b1c2-1111-7222-8333-444455556666","mode":"delta","state":"failed","finished_at":"2026-11-23T03:12:00Z"},
			"next_delta":null,"next_full":"2026-11-24T03:00:00Z","drift":{}},
		{"organisation":"default","name":"push","kind":"scim","state":"ok","quarantine":null,"last_run":null,"next_delta":null,"next_full":null,"drift":{}}]}`
	got := startDaemon(t, map[string][]string{"GET /status": {answer}}).rosterd(context.Background(), "status")
	for line := range strings.Lines(got.out) {
		if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > 80 && !strings.Contains(line, "--org") {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	for _, want := range []string{
		"\nentra (entra) of default: ok\n  last run    full done 2026-11-2", "\n  next runs   delta 2026-11-2", ", full 2026-11-2",
		"\n  drift       conflict 1, extra_membership 9, missing_member 12,\n              missing_membership 140, redundant_soft_delete 2, stale_member 3\n",
		"… (okta) of long-long-long-long-long-l…: detached\n  last run    never\n  next runs   none: it is detached\n  drift       not known yet\n",
		"\n  quarantine  the identity provider's own job, since 2026-11-22", "TooManyDeletes;", "it tries", "2026-11-24",
		"\n  job         active; last steady 2026-11-2", "2 waiting for another try\n              its log was not read: Graph refused to give the provisioning log",
		"AuditLog.Read.All", "\n  job         last steady never; last cycle 2026-11-2", "failed: Unknown: no", "3 failures in a row; as read 2026-11-2",
		"\n              its job was not read: Graph throttles requests\n",
		"\n  drift       not known: the last run failed\n  why         rosterd runs show 0195b1c2-1111-7222-8333-444455556666\n",
		"\npush (scim) of default: ok\n  next runs   none: it is push only\n",
	} {
		if !strings.Contains(got.out, want) {
			t.Errorf("no %q in\n%s", want, got.out)
		}
	}
}
