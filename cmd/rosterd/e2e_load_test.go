package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
)

// The load: pushers that write at once, each to people of its own, all to the same groups, and that remember what was
// acknowledged.

// person is what a pusher knows of somebody. N stands in three attributes that are always written together.
type person struct {
	id, userName string
	n            int
	active       bool
	teams        map[string]bool // by id, also while they are suspended
}

func (p person) label() string { return fmt.Sprintf("No. %d", p.n) }

// visible are the teams that show the person.
func (p person) visible() map[string]bool {
	if !p.active {
		return map[string]bool{}
	}
	return p.teams
}

// pusher writes, one request after the other.
type pusher struct {
	scim   *pushing
	rng    *rand.Rand
	name   string
	groups []string
	people []*person
	made   int
	// doubt is the write whose answer never came: it was made as a whole, or not at all.
	doubt *doubt
}

type doubt struct {
	who  *person // nil: a create
	then person
}

// write is one request and what it makes of the person.
type write struct {
	who          *person // nil: a create
	then         person
	method, path string
	body         object
}

// next picks what to write.
func (u *pusher) next() write {
	if len(u.people) == 0 || u.rng.IntN(4) == 0 {
		u.made++
		then := person{userName: fmt.Sprintf("%s.%d@example.com", u.name, u.made), active: true, teams: map[string]bool{}}
		body := user(then.userName, then.label())
		body["title"], body["name"] = then.label(), object{"givenName": then.label()}
		return write{nil, then, "POST", "/Users", body}
	}
	who := u.people[u.rng.IntN(len(u.people))]
	then := *who
	switch u.rng.IntN(8) {
	case 0:
		then.active = !then.active
		return write{who, then, "PATCH", "/Users/" + who.id, patch(replace("active", then.active))}
	case 1, 2, 3:
		then.n++
		return write{who, then, "PATCH", "/Users/" + who.id, patch(
			replace("displayName", then.label()), replace("title", then.label()), replace("name.givenName", then.label()))}
	}
	group := u.groups[u.rng.IntN(len(u.groups))]
	then.teams = maps.Clone(who.teams)
	op := object{"op": "add", "path": "members", "value": []object{{"value": who.id}}}
	if then.teams[group] = !then.teams[group]; !then.teams[group] {
		delete(then.teams, group)
		op = object{"op": "remove", "path": fmt.Sprintf("members[value eq %q]", who.id)}
	}
	return write{who, then, "PATCH", "/Groups/" + group, patch(op)}
}

// push writes until no answer comes or acknowledged, which hears of each write that was, says that it is enough.
func (u *pusher) push(t testing.TB, acknowledged func() (more bool)) {
	t.Helper()
	for more := true; more; {
		w := u.next()
		status, answer, err := u.scim.ask(w.method, w.path, w.body)
		switch {
		case err != nil:
			u.doubt = &doubt{w.who, w.then}
			return
		case status >= 300:
			t.Errorf("%s %s: %d %v", w.method, w.path, status, answer)
			return
		}
		if w.who == nil {
			w.who = &person{}
			u.people = append(u.people, w.who)
			w.then.id = answer.text("id")
		}
		*w.who = w.then
		more = acknowledged()
	}
}

// load lets all pushers write, and kills the daemon when so many writes have been acknowledged; it returns how many were
// in the end.
func (m *machine) load(pushers []*pusher, moment int64) int64 {
	m.t.Helper()
	var count atomic.Int64
	reached := make(chan struct{})
	var all sync.WaitGroup
	for _, u := range pushers {
		u.scim.base = m.scim
		all.Go(func() {
			u.push(m.t, func() bool {
				if count.Add(1) == moment {
					close(reached)
				}
				return true
			})
		})
	}
	stopped := make(chan struct{})
	go func() {
		all.Wait()
		close(stopped)
	}()
	select {
	case <-reached:
	case <-stopped:
		m.t.Fatalf("the pushers stopped after %d writes", count.Load())
	}
	m.kill()
	<-stopped
	return count.Load()
}

// settle reads everybody back: whoever has a write in doubt is as before it or as after it, everybody else as
// acknowledged. It returns how many doubtful writes were made.
func (u *pusher) settle(t testing.TB, s stored) int {
	t.Helper()
	made := 0
	d := u.doubt
	u.doubt = nil
	if d != nil && d.who == nil {
		switch found := u.scim.find(t, d.then.userName); len(found) {
		case 0:
		case 1:
			made++
			d.then.id = found[0].text("id")
			u.people = append(u.people, &d.then)
		default:
			t.Errorf("%s was made %d times", d.then.userName, len(found))
		}
	}
	for _, p := range u.people {
		got := u.scim.must(t, http.StatusOK, "GET", "/Users/"+p.id, nil)
		switch problem := p.differs(got, s); {
		case problem == "":
		case d == nil || d.who != p:
			t.Errorf("%s: %s, and that was acknowledged", p.userName, problem)
		default:
			if other := d.then.differs(got, s); other != "" {
				t.Errorf("%s is neither as before a write (%s) nor as after it (%s)", p.userName, problem, other)
			}
			*p = d.then
			made++
		}
	}
	return made
}

// stored is what is read back about teams.
type stored struct {
	teams  map[string]map[string]bool // members by group, over SCIM
	events *history                   // which also know of suspended memberships
}

// differs says in what a stored person is not as known.
func (p person) differs(got object, s stored) string {
	name, _ := got["name"].(map[string]any)
	for _, v := range []any{got["displayName"], got["title"], name["givenName"]} {
		if v != p.label() {
			return fmt.Sprintf("%v, want %s everywhere: %v %v %v", v, p.label(), got["displayName"], got["title"], name["givenName"])
		}
	}
	in, told := map[string]bool{}, map[string]bool{}
	for team, members := range s.teams {
		if members[p.id] {
			in[team] = true
		}
		if s.events.present[team+"/"+p.id] {
			told[team] = true
		}
	}
	switch {
	case got["active"] != p.active || got.text("userName") != p.userName:
		return fmt.Sprintf("active %v, want %t; userName %v", got["active"], p.active, got["userName"])
	case !maps.Equal(in, p.visible()):
		return fmt.Sprintf("in teams %v, want %v", in, p.visible())
	case !maps.Equal(told, p.teams):
		return fmt.Sprintf("by the events in teams %v, want %v", told, p.teams)
	}
	return ""
}

// groupMembers reads groups over SCIM: members by id.
func (p *pushing) groupMembers(t testing.TB, groups []string) map[string]map[string]bool {
	t.Helper()
	out := map[string]map[string]bool{}
	for _, id := range groups {
		out[id] = map[string]bool{}
		members, _ := p.must(t, http.StatusOK, "GET", "/Groups/"+id, nil)["members"].([]any)
		for _, m := range members {
			ref, _ := m.(map[string]any)
			member, _ := ref["value"].(string)
			if out[id][member] {
				t.Errorf("group %s has %s twice", id, member)
			}
			out[id][member] = true
		}
	}
	return out
}
