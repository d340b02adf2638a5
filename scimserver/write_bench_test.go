package scimserver_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"testing"

	"github.com/rosterd/rosterd/internal/roster"
)

// largeGroup makes a group of n members, and returns its path and their ids.
func largeGroup(b *testing.B, r *roster.Roster, org string, n int) (path string, ids []string) {
	b.Helper()
	commit := func(changes ...roster.Change) []roster.Outcome {
		b.Helper()
		outs, err := r.Commit(b.Context(), org, roster.Cause{Atomic: true, By: roster.ByPush}, changes)
		if err != nil {
			b.Fatal(err)
		}
		return outs
	}
	g := commit(roster.TeamCreate{DisplayName: "All"})[0].ID
	for len(ids) < n {
		changes := make([]roster.Change, min(5000, n-len(ids)))
		for i := range changes {
			changes[i] = roster.MemberCreate{Attributes: roster.Attributes{"userName": "m" + strconv.Itoa(len(ids)+i) + "@example.com"}, Active: true}
		}
		for _, o := range commit(changes...) {
			ids = append(ids, o.ID)
		}
		commit(roster.TeamEdit{ID: g, Add: ids[len(ids)-len(changes):]})
	}
	return "/Groups/" + g, ids
}

func BenchmarkPatchOneMemberOf100000(b *testing.B) {
	benchmarkOver(b, func(b *testing.B, e bench) {
		b.Helper()
		path, ids := largeGroup(b, e.roster, e.org, 100_000)
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			body := fmt.Sprintf(`{"Operations":[{"op":"remove","path":"members[value eq \"%s\"]"}]}`, ids[i/2])
			if i%2 == 1 {
				body = fmt.Sprintf(`{"Operations":[{"op":"add","path":"members","value":[{"value":"%s"}]}]}`, ids[i/2])
			}
			if code := e.do(http.MethodPatch, path, body); code != http.StatusNoContent {
				b.Fatal(code)
			}
		}
	})
}

func BenchmarkPutGroupOf100000(b *testing.B) {
	benchmarkOver(b, func(b *testing.B, e bench) {
		b.Helper()
		path, ids := largeGroup(b, e.roster, e.org, 100_000)
		var bodies [2]string // each without the other's last member
		for i, list := range [][]string{ids[:len(ids)-1], ids[1:]} {
			refs := make([]map[string]string, len(list))
			for i := range list {
				refs[i] = map[string]string{"value": list[i]}
			}
			body, err := json.Marshal(map[string]any{"displayName": "All", "members": refs})
			if err != nil {
				b.Fatal(err)
			}
			bodies[i] = string(bytes.Clone(body))
		}
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if code := e.do(http.MethodPut, path, bodies[i%2]); code != http.StatusOK {
				b.Fatal(code)
			}
		}
	})
}

func BenchmarkPatchUser(b *testing.B) {
	benchmarkOver(b, func(b *testing.B, e bench) {
		b.Helper()
		outs, err := e.roster.Commit(b.Context(), e.org, roster.Cause{By: roster.ByPush}, []roster.Change{
			roster.MemberCreate{Attributes: roster.Attributes{"userName": "ada@example.com"}, Active: true},
		})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			body := fmt.Sprintf(`{"Operations":[{"op":"Replace","path":"title","value":"%d"}]}`, i)
			if code := e.do(http.MethodPatch, "/Users/"+outs[0].ID, body); code != http.StatusOK {
				b.Fatal(code)
			}
		}
	})
}
