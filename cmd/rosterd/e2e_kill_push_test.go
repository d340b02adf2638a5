package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"reflect"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/api/client"
)

// Nothing that was acknowledged is lost, and nothing is half done, when the daemon is killed amid pushes (invariant 7);
// and what was done is explained (invariant 10).
func TestE2EKilledAmidPushes(t *testing.T) {
	const rounds, pushers = 4, 6
	eachMachine(t, func(m *machine) {
		seed := uint64(time.Now().UnixNano())
		m.t.Logf("seed %d", seed)
		rng := rand.New(rand.NewPCG(seed, 0))
		m.serve()
		scim := m.pushing(m.token("default", "idp"))
		groups := make([]string, 3)
		for i := range groups {
			groups[i] = scim.must(m.t, http.StatusCreated, "POST", "/Groups", group(fmt.Sprintf("Team %d", i))).text("id")
		}
		all := make([]*pusher, pushers)
		for i := range all {
			all[i] = &pusher{scim: m.pushing(scim.token), rng: rand.New(rand.NewPCG(seed, uint64(i+1))), name: fmt.Sprintf("p%d", i), groups: groups}
		}
		writes := len(groups)
		for range rounds {
			writes += int(m.load(all, int64(1+rng.IntN(250))))
			m.serve()
			scim.base = m.scim
			now := stored{scim.groupMembers(m.t, groups), m.history("default")}
			for _, u := range all {
				u.scim.base = m.scim
				writes += u.settle(m.t, now)
			}
		}
		m.accounts(all, writes)
		if code := m.stop(); code != exitDone {
			m.t.Errorf("after SIGTERM: exit code %d", code)
		}
	})
}

// accounts holds the lists, the events and the request log against what the pushers know.
func (m *machine) accounts(all []*pusher, writes int) {
	m.t.Helper()
	logged := 0
	for _, r := range asked[[]client.Request](m, exitDone, "requests list --org default") {
		if r.Status < 300 && r.Method != http.MethodGet {
			logged++
		}
	}
	if logged != writes {
		m.t.Errorf("%d successful requests are logged, %d were made", logged, writes)
	}
	h := m.history("default")
	listed := map[string]client.Member{}
	for _, member := range m.members("default") {
		listed[member.ID] = member
	}
	people, memberships := 0, 0
	for _, u := range all {
		for _, p := range u.people {
			people, memberships = people+1, memberships+len(p.teams)
			status := "pending"
			if !p.active {
				status = "deactivated"
			}
			got := listed[p.id]
			if got.UserName != p.userName || got.DisplayName != p.label() || got.Status != status || len(got.Teams) != len(p.visible()) {
				m.t.Errorf("listed %+v, want %+v", got, p)
			}
			h.tells(m.t, p, status)
		}
	}
	if people != len(listed) || people != len(h.made) || memberships != len(h.present) {
		m.t.Errorf("%d people, %d listed, %d by the events; %d memberships, %d by the events", people, len(listed), len(h.made), memberships, len(h.present))
	}
}

// history is what folding change events gives.
type history struct {
	objects map[string]object // by subject id
	made    map[string]int    // how often each member was created
	present map[string]bool   // memberships, by "team/member"
	added   map[string]int    // how often each membership was added
	teams   int               // teams created
	n       int               // events
}

// history waits until every event has a number, and folds them.
func (m *machine) history(org string) *history {
	m.t.Helper()
	var events []client.Event
	m.until("every event has a number", func() bool {
		events = m.events(org)
		return events[len(events)-1].Number != nil // those without come last
	})
	h := &history{map[string]object{}, map[string]int{}, map[string]bool{}, map[string]int{}, 0, len(events)}
	for i, e := range events {
		if *e.Number != int64(i+1) {
			m.t.Fatalf("event %d has the number %d", i+1, *e.Number)
		}
		h.fold(m.t, e)
	}
	return h
}

func (h *history) fold(t testing.TB, e client.Event) {
	t.Helper()
	if e.Subject.ID == nil {
		return
	}
	id := *e.Subject.ID
	if h.objects[id] == nil {
		h.objects[id] = object{}
	}
	var before, after object
	if err := errors.Join(json.Unmarshal(e.Before, &before), json.Unmarshal(e.After, &after)); err != nil {
		t.Fatal(err)
	}
	for k, v := range before {
		if !reflect.DeepEqual(h.objects[id][k], v) {
			t.Errorf("event %d, %s of %s: %s was %v before it, and %v after the last one: an event is missing", *e.Number, e.Type, e.Subject.Name, k, v, h.objects[id][k])
		}
	}
	for k, v := range after {
		if h.objects[id][k] = v; v == nil {
			delete(h.objects[id], k)
		}
	}
	switch e.Type {
	case "member.created":
		h.made[id]++
	case "team.created":
		h.teams++
	case "membership.added":
		h.added[id]++
		h.present[id] = true
	case "membership.removed":
		delete(h.present, id)
	}
}

// tells holds that a person's events tell their state.
func (h *history) tells(t testing.TB, p *person, status string) {
	t.Helper()
	if h.made[p.id] != 1 {
		t.Errorf("%s has %d created events", p.userName, h.made[p.id])
	}
	doc := h.objects[p.id]
	name, _ := doc["name"].(map[string]any)
	if doc["userName"] != p.userName || doc["displayName"] != p.label() || doc["title"] != p.label() || name["givenName"] != p.label() || doc["status"] != status {
		t.Errorf("the events of %+v fold to %v", p, doc)
	}
}
