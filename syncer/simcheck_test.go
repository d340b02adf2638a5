package syncer_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/rosterd/rosterd/internal/roster"
)

// truth is what the tenant says at one of its versions.
type truth struct {
	people  map[string]simPerson // everyone in the directory
	desired map[string][]string  // who should be live, and their mapped attributes
	teams   map[string]string    // the names of the groups that mean to be teams
	members map[string]bool      // "group/person", of those who should be live
}

// record keeps what is true after a change of the tenant.
func (s *sim) record() {
	tr := &truth{people: map[string]simPerson{}, desired: map[string][]string{}, teams: map[string]string{}, members: map[string]bool{}}
	for _, u := range s.dir.people() {
		tr.people[u.id] = u
	}
	s.dir.record(tr)
	for _, t := range s.dir.teams() {
		tr.teams[t.ObjectID] = t.DisplayName
		for _, m := range t.Members {
			tr.members[t.ObjectID+"/"+m] = true
		}
	}
	for v := s.dir.Version(); len(s.history) <= v; {
		s.history = append(s.history, tr)
	}
}

func (s *sim) version() int { return len(s.history) - 1 }

func (s *sim) now() *truth { return s.history[s.version()] }

// lastName returns the name that somebody had last.
func (s *sim) lastName(id string) string {
	for _, tr := range slices.Backward(s.history) {
		if u, ok := tr.people[id]; ok {
			return u.name
		}
	}
	return s.fresh("nobody") + "@contoso.example"
}

// wanted says what should be stored of an object, in one word that can be compared.
func (tr *truth) wanted(key string) string {
	kind, id, _ := strings.Cut(key, ":")
	switch kind {
	case "member":
		if p, ok := tr.desired[id]; ok {
			return "on|" + strings.Join(p, "|")
		}
		return "off"
	case "team":
		if name, ok := tr.teams[id]; ok {
			return "on|" + name
		}
		return "off"
	}
	group, _, _ := strings.Cut(id, "/")
	if _, ok := tr.teams[group]; !ok {
		return "any"
	}
	return fmt.Sprint(tr.members[id])
}

// row is one row of a dump.
type row map[string]any

func (r row) text(column string) string {
	v, _ := r[column].(string)
	return v
}

func (r row) on(column string) bool {
	switch v := r[column].(type) {
	case bool:
		return v
	case float64:
		return v != 0
	}
	return false
}

func (r row) doc(column string) map[string]any {
	out := map[string]any{}
	_ = json.Unmarshal([]byte(r.text(column)), &out)
	return out
}

func (r row) live() bool { return r.text("status") == "pending" || r.text("status") == "active" }

// state is what is stored of the organisation.
type state struct {
	dump                         string
	members, teams               []row
	memberships, links, events   []row
	member, team                 map[string]row // by our id
	present                      map[string]bool
	memberByObject, teamByObject map[string]row
	objectOfMember, objectOfTeam map[string]string
}

// look reads what is stored.
func (s *sim) look() *state {
	s.t.Helper()
	st := state{dump: s.dump(), member: map[string]row{}, team: map[string]row{}, present: map[string]bool{}, memberByObject: map[string]row{},
		teamByObject: map[string]row{}, objectOfMember: map[string]string{}, objectOfTeam: map[string]string{}}
	for line := range strings.Lines(st.dump) {
		table, doc, _ := strings.Cut(line, " ")
		r := row{}
		if err := json.Unmarshal([]byte(doc), &r); err != nil {
			s.t.Fatal(err)
		}
		switch table {
		case "members":
			st.members, st.member[r.text("id")] = append(st.members, r), r
		case "teams":
			st.teams, st.team[r.text("id")] = append(st.teams, r), r
		case "memberships":
			st.memberships = append(st.memberships, r)
			st.present[r.text("team_id")+"/"+r.text("member_id")] = r.on("present")
		case "links":
			st.links = append(st.links, r)
		case "events":
			st.events = append(st.events, r)
		}
	}
	for _, l := range st.links {
		if l.text("type") == "member" {
			st.memberByObject[l.text("object_id")], st.objectOfMember[l.text("target_id")] = st.member[l.text("target_id")], l.text("object_id")
		} else {
			st.teamByObject[l.text("object_id")], st.objectOfTeam[l.text("target_id")] = st.team[l.text("target_id")], l.text("object_id")
		}
	}
	s.seen = st
	return &s.seen
}

// locals are the rows of those whom no connection may touch.
func (st *state) locals() string {
	var out []string
	for _, m := range st.members {
		if m.text("source") == "local" {
			doc, _ := json.Marshal(m)
			out = append(out, string(doc))
		}
	}
	return strings.Join(out, "\n")
}

// stored says what is stored for a key of truth.wanted, in the same words; "" where nothing is to be said.
func (s *sim) stored(st *state, key, wanted string) string {
	kind, id, _ := strings.Cut(key, ":")
	switch kind {
	case "member":
		m, ok := st.memberByObject[id]
		if !ok {
			m, ok = st.member[s.dir.targetID(id)]
			if _, linked := st.objectOfMember[m.text("id")]; !ok || linked {
				return ""
			}
		}
		if !m.live() {
			return "off"
		}
		return "on|" + strings.Join(attributesAs(m, wanted), "|")
	case "team":
		t, ok := st.teamByObject[id]
		switch {
		case !ok:
			return ""
		case t.text("status") != "active":
			return "off"
		}
		return "on|" + t.text("display_name")
	}
	group, person, _ := strings.Cut(id, "/")
	t, m := st.teamByObject[group], st.memberByObject[person]
	if t == nil || m == nil || t.text("status") != "active" {
		return ""
	}
	present := st.present[t.text("id")+"/"+m.text("id")]
	if wanted == "true" && !m.live() {
		return "false"
	}
	return fmt.Sprint(present)
}

// spoken dates what is stored for a key: another value says that a push, or anybody, spoke of it.
func (st *state) spoken(key string) string {
	kind, id, _ := strings.Cut(key, ":")
	group, person, _ := strings.Cut(id, "/")
	var r row
	switch kind {
	case "member":
		r = st.memberByObject[id]
	case "team":
		r = st.teamByObject[id]
	default:
		pair := st.teamByObject[group].text("id") + "/" + st.memberByObject[person].text("id")
		for _, m := range st.memberships {
			if m.text("team_id")+"/"+m.text("member_id") == pair {
				r = m
			}
		}
	}
	return fmt.Sprint(r["seq"], r["pushed_seq"], r["pushed_at"])
}

// attributesAs returns a member's mapped attributes; empty where the wanted one is, since that clears nothing.
func attributesAs(m row, wanted string) []string {
	a := roster.Attributes(m.doc("attributes"))
	want := strings.Split(wanted, "|")
	out := make([]string, 0, 5)
	for i, path := range []string{roster.AttrUserName, roster.AttrWorkEmail, roster.AttrDisplayName, roster.AttrGivenName, roster.AttrFamilyName} {
		v := a.Get(path)
		if i+1 < len(want) && want[i+1] == "" {
			v = ""
		}
		out = append(out, v)
	}
	return out
}

// keys names everything of which the tenant or the store has something to say.
func (s *sim) keys(st *state) []string {
	tr := s.now()
	set := map[string]bool{}
	for id := range tr.people {
		set["member:"+id] = true
	}
	for id := range st.memberByObject {
		set["member:"+id] = true
	}
	for id := range st.teamByObject {
		set["team:"+id] = true
		if _, assigned := tr.teams[id]; assigned {
			for person := range st.memberByObject {
				set["membership:"+id+"/"+person] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(set))
}

// always checks what holds after every step.
func (s *sim) always() {
	s.t.Helper()
	st := s.look()
	s.checkFold(st)
	names, links := map[string]string{}, map[string]string{}
	for _, m := range st.members {
		if m.text("status") == "deleted" {
			continue
		}
		k := roster.Fold(m.text("user_name"))
		if k != m.text("user_name_key") || names[k] != "" {
			s.t.Errorf("userName %q of %s: key %q, also of %q", m.text("user_name"), m.text("id"), m.text("user_name_key"), names[k])
		}
		names[k] = m.text("id")
	}
	for _, l := range st.links {
		object, target := l.text("object_id"), l.text("target_id")
		if was := links[target]; was != "" {
			s.t.Errorf("%s is linked to %s and %s", target, was, object)
		}
		links[target] = object
		if was := s.linkedTo[target]; was != "" && was != object {
			s.t.Errorf("%s was linked to %s and is now to %s: one person has the account of another", target, was, object)
		}
		s.linkedTo[target] = object
		if st.member[target] == nil && st.team[target] == nil {
			s.t.Errorf("a link to %s, which is not there", target)
		}
	}
	if locals := st.locals(); s.localWas != "" && locals != s.localWas {
		s.t.Errorf("local members were touched:\n%s\nwere\n%s", locals, s.localWas)
	}
	other, err := s.db.Dump(s.ctx, s.other)
	if err != nil {
		s.t.Fatal(err)
	}
	if other != s.otherWas {
		s.t.Errorf("the second organisation was touched")
	}
}

// checkFold rebuilds every object from its change events, and holds each event against what the ones before it left.
func (s *sim) checkFold(st *state) {
	s.t.Helper()
	docs := map[string]map[string]any{}
	for _, e := range st.events {
		typ, id := e.text("subject_type"), e.text("subject_id")
		if typ != "member" && typ != "team" && typ != "membership" || strings.HasSuffix(e.text("type"), ".linked") || strings.HasSuffix(e.text("type"), ".unlinked") {
			continue
		}
		doc := docs[id]
		if doc == nil {
			doc = map[string]any{}
			docs[id] = doc
		}
		for k, v := range e.doc("before_doc") {
			if !reflect.DeepEqual(doc[k], v) {
				s.t.Errorf("event %s of %s says that %s was %v, but it was %v", e.text("type"), e.text("subject_name"), k, v, doc[k])
			}
		}
		after := e.doc("after_doc")
		if e.text("actor_kind") == "run" && doc["off_by"] == "operator" && after["status"] != nil {
			s.t.Errorf("run %s undid an operator's deactivation of %s", e.text("run_id"), e.text("subject_name"))
		}
		for k, v := range after {
			if doc[k] = v; v == nil {
				delete(doc, k)
			}
		}
	}
	check := func(what, id string, want map[string]any) {
		maps.DeleteFunc(want, func(_ string, v any) bool { return v == nil || v == "" })
		got := maps.Clone(docs[id])
		maps.DeleteFunc(got, func(_ string, v any) bool { return v == nil || v == "" })
		if !reflect.DeepEqual(got, want) {
			s.t.Errorf("the events of %s make %v, stored is %v", what, got, want)
		}
	}
	connection := func(r row) any {
		if r.text("connection_id") == "" {
			return nil
		}
		return s.connection().Name
	}
	for _, m := range st.members {
		want := m.doc("attributes")
		want["status"], want["source"], want["role"] = m.text("status"), m.text("source"), m.text("role")
		want["off_by"], want["connection"] = m.text("off_by"), connection(m)
		check("member "+m.text("user_name"), m.text("id"), want)
	}
	for _, t := range st.teams {
		check("team "+t.text("display_name"), t.text("id"), map[string]any{"displayName": t.text("display_name"), "externalId": t.text("external_id"),
			"status": t.text("status"), "source": t.text("source"), "connection": connection(t)})
	}
	for _, m := range st.memberships {
		id := m.text("team_id") + "/" + m.text("member_id")
		if docs[id] == nil && !m.on("present") {
			continue // a tombstone that a push left of what was never here
		}
		check("membership "+id, id, map[string]any{"team": m.text("team_id"), "member": m.text("member_id"), "present": m.on("present")})
	}
}

// differences lists what is stored otherwise than the tenant wants it, but for the objects that were excused.
func (s *sim) differences(excused map[string]bool) []string {
	st, tr := s.look(), s.now()
	var out []string
	for id, p := range tr.desired {
		key := "member:" + id
		m, want := st.memberByObject[id], tr.wanted(key)
		if !excused[id] && !excused[m.text("id")] && s.stored(st, key, want) != want {
			out = append(out, fmt.Sprintf("%s (%s) should be %s and is %q", p[0], id, want, s.stored(st, key, want)))
		}
	}
	for _, m := range st.members {
		object := st.objectOfMember[m.text("id")]
		if _, wanted := tr.desired[object]; m.live() && m.text("source") == "scim" && !wanted && !excused[m.text("id")] && !excused[object] {
			out = append(out, fmt.Sprintf("%s is live and should not be", m.text("user_name")))
		}
	}
	for id, name := range tr.teams {
		if excused[id] {
			continue
		}
		if t := st.teamByObject[id]; excused[t.text("id")] || t.text("status") == "active" && t.text("display_name") == name {
			continue
		}
		out = append(out, fmt.Sprintf("team %s should be here: %v", name, st.teamByObject[id]))
	}
	for _, t := range st.teams {
		object := st.objectOfTeam[t.text("id")]
		if _, wanted := tr.teams[object]; t.text("status") == "active" && !wanted && !excused[t.text("id")] && !excused[object] {
			out = append(out, fmt.Sprintf("team %s should not be here", t.text("display_name")))
		}
		if t.text("status") != "active" || excused[object] || excused[t.text("id")] {
			continue
		}
		for _, m := range st.members {
			person := st.objectOfMember[m.text("id")]
			if person == "" || excused[person] || excused[m.text("id")] {
				continue
			}
			is := m.live() && st.present[t.text("id")+"/"+m.text("id")]
			if want := tr.members[object+"/"+person]; is != want {
				out = append(out, fmt.Sprintf("%s in %s is %t, should be %t", m.text("user_name"), t.text("display_name"), is, want))
			}
		}
	}
	slices.Sort(out)
	return out
}

// inventory notes who is stored, and whom the tenant has, for whoever reads a schedule that failed.
func (s *sim) inventory() {
	st := s.look()
	for _, m := range st.members {
		object := st.objectOfMember[m.text("id")]
		there := "not linked"
		if u, ok := s.now().people[object]; ok {
			there = fmt.Sprintf("%s, disabled %t, wanted %t", u.name, u.off, s.now().wanted("member:"+object) != "off")
		} else if object != "" {
			there = "gone"
		}
		s.note("stored: %s %s %s off by %q, name by %q, of %q; there: %s %s", m.text("id"), m.text("user_name"), m.text("status"), m.text("off_by"),
			m.text("user_name_by"), m.text("connection_id"), object, there)
	}
}
