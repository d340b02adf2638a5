package syncer_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/internal/idpsim"
	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
	"github.com/rosterd/rosterd/syncer"
)

// perils are what a run meets on its way. The zero perils are a quiet day.
type perils struct {
	faults []peril
	// What happens between the reading of the n-th answer of the IdP and its being sent, or before the n-th commit; 0:
	// nothing.
	pushAt, pushAtCommit int
	// The process dies at the n-th answer, or right before or after the n-th commit.
	dieAt, dieBefore, dieAfter int
	// The process sleeps there until another has taken the run over and finished it, and then goes on.
	sleepAt, sleepBefore int
	cancelAt             int
	calls, looks         int
}

// peril is one way in which the tenant misbehaves.
type peril struct {
	name  string
	fault idpsim.Fault
	// breaks says that the run can't be complete once the fault struck.
	breaks bool
	// lies about memberships: a list that looks whole and isn't, or is older than it should be.
	lies bool
	lag  int
}

// drawFault draws a fault of the lists that are read, of looks, or of what else is asked for. Where the users are not needed
// there is another way to ask for them.
func drawFault(rng *rand.Rand, usersNeeded bool, assignments, members, users string, looks, others []string) peril {
	path := pick(rng, []string{assignments, members, members, users})
	f := idpsim.Fault{Path: path, Skip: rng.IntN(5), Count: rng.IntN(3)}
	if path != members {
		f.Skip = rng.IntN(2)
	}
	switch rng.IntN(8) {
	case 0, 1:
		f.Status, f.Code = 400, "BadRequest"
		return peril{name: "400 " + path, fault: f, breaks: usersNeeded || path != users}
	case 2:
		f.Status, f.Code = 403, "Authorization_RequestDenied"
		return peril{name: "403 " + path, fault: f, breaks: true}
	case 3:
		f.Empty = true
		return peril{name: "empty " + path, fault: f, lies: path == members}
	case 4:
		f.DropNextLink = true
		return peril{name: "no next link " + path, fault: f, lies: path == members}
	case 5:
		f.Lag, f.Count = 1+rng.IntN(6), 0
		return peril{name: fmt.Sprintf("%s of %d changes ago", path, f.Lag), fault: f, lies: path == members, lag: f.Lag}
	case 6:
		look := pick(rng, looks)
		return peril{name: "400 " + look, fault: idpsim.Fault{Path: look, Count: rng.IntN(3), Status: 400, Code: "BadRequest"}}
	}
	other := pick(rng, others)
	if chance(rng, 30) {
		lag := 1 + rng.IntN(6)
		return peril{name: fmt.Sprintf("%s of %d changes ago", other, lag), fault: idpsim.Fault{Path: other, Lag: lag}, lag: lag}
	}
	return peril{name: "400 " + other, fault: idpsim.Fault{Path: other, Skip: rng.IntN(3), Count: 1, Status: 400, Code: "BadRequest"}}
}

func (s *sim) drawPerils() perils {
	var p perils
	if chance(s.rng, 35) {
		for range 1 + s.rng.IntN(2) {
			p.faults = append(p.faults, s.dir.drawFault(s.rng))
		}
	}
	if chance(s.rng, 40) {
		p.pushAt = 1 + s.rng.IntN(20)
	}
	if chance(s.rng, 50) {
		p.pushAtCommit = 1 + s.rng.IntN(4)
	}
	switch s.rng.IntN(14) {
	case 0:
		p.dieAt = 1 + s.rng.IntN(20)
	case 1:
		p.dieBefore = 1 + s.rng.IntN(5)
	case 2:
		p.dieAfter = 1 + s.rng.IntN(5)
	case 3:
		p.sleepAt = 1 + s.rng.IntN(20)
	case 4:
		p.sleepBefore = 1 + s.rng.IntN(5)
	case 5:
		p.cancelAt = 1 + s.rng.IntN(20)
	case 6:
		p.calls = 3 + s.rng.IntN(20)
	case 7:
		p.looks = 1 + s.rng.IntN(3)
	}
	return p
}

// fact is what was right at some version of the tenant.
type fact struct {
	value   string
	version int
}

// watch is what is kept of a run on its way: what was right at its start, and whenever something happened meanwhile.
type watch struct {
	id      string
	busy    sync.WaitGroup // what happens while the run waits for an answer
	from    int            // the tenant's version at its start, less what a lagging replica may answer
	lag     int
	settled bool
	facts   map[string]fact
	told    map[string]bool // events from before: an approved run is the one that made its plan
	struck  []string        // faults that leave the run incomplete
	lies    bool
	asleep  string // what was stored when the run had been taken over
	cursor  string
	again   bool // it is an approved one, and reads no lists
	taken   bool // somebody took it over, and read everything again
	read    bool // the last list of the pull was begun
}

// right notes what is stored as the tenant wants it, and so stays as it is whatever the run does: all of it at the run's
// start, and later (before is what was stored then) what pushes spoke of. What comes to be right later without a word to
// us, a run that read it before may still change: the next one puts it right.
func (s *sim) right(w *watch, before *state) {
	st := s.look()
	was := w.facts
	w.facts = map[string]fact{}
	settles := s.settles()
	for _, key := range s.keys(st) {
		want := s.now().wanted(key)
		if want == "any" || s.stored(st, key, want) != want || w.lies && strings.HasPrefix(key, "membership:") {
			continue
		}
		if f, ok := was[key]; ok && s.unchanged(key, f) {
			w.facts[key] = f
			continue
		}
		if before != nil && before.spoken(key) == st.spoken(key) {
			continue
		}
		if _, person, ok := strings.Cut(key, "/"); ok && before != nil {
			if _, right := w.facts["member:"+person]; !right {
				continue // a push that spoke of the membership alone does not keep the run from what it planned for the person
			}
		}
		f := fact{value: want, version: s.version()}
		if !settles || !s.pushed(st, key) {
			f.version = max(0, f.version-w.lag)
		}
		if s.unchanged(key, f) {
			w.facts[key] = f
		}
	}
}

func (s *sim) settles() bool {
	c, err := s.db.Connection(s.ctx, s.org, s.conn)
	if err != nil {
		s.t.Fatal(err)
	}
	return c.Settle > 0
}

// pushed says whether a push spoke of the object, so that it is looked at again before a lagging answer is believed.
func (s *sim) pushed(st *state, key string) bool {
	kind, id, _ := strings.Cut(key, ":")
	switch kind {
	case "member":
		at, _ := st.memberByObject[id]["pushed_at"].(float64)
		return at > 0
	case "team":
		at, _ := st.teamByObject[id]["pushed_at"].(float64)
		return at > 0
	}
	return false
}

func (s *sim) unchanged(key string, f fact) bool {
	for _, tr := range s.history[f.version:] {
		if tr.wanted(key) != f.value {
			return false
		}
	}
	return true
}

// stillRight checks that nothing that was right, and did not change in the tenant since, was made wrong by the run.
func (s *sim) stillRight(w *watch) {
	s.t.Helper()
	st := s.look()
	for _, key := range slices.Sorted(maps.Keys(w.facts)) {
		f := w.facts[key]
		got := s.stored(st, key, f.value)
		gone := got == "" && (f.value == "off" || f.value == "false") // who is not here is off, and in no team
		if got != f.value && !gone && s.unchanged(key, f) {
			s.t.Errorf("run %s did harm: %s was right (%s) and is now %q", w.id, key, f.value, got)
		}
	}
}

// meanwhile lets something happen while a run is on its way.
func (s *sim) meanwhile(w *watch, do func()) {
	s.stillRight(w)
	before := s.seen
	do()
	s.right(w, &before)
}

// disturb changes the tenant, pushes, and does damage, while a run waits for an answer or is about to commit.
func (s *sim) disturb(w *watch) {
	if w.asleep != "" {
		return // whoever goes on now has lost the lease: what it does is watched without a word from outside
	}
	s.note("  meanwhile:")
	s.meanwhile(w, func() {
		for range 1 + s.rng.IntN(3) {
			pick(s.rng, []func(){s.changePeople, s.changePeople, s.changeNames, s.changeMembers, s.changeGroups})()
		}
		if chance(s.rng, 85) {
			s.push()
		}
		if chance(s.rng, 25) {
			s.damage()
		}
		if chance(s.rng, 8) {
			s.operate()
		}
	})
}

// aimAt has most of what happens now happen to those for whom the run has planned something.
func (s *sim) aimAt(w *watch) {
	_, actions := s.show(w.id)
	for _, a := range actions {
		switch {
		case a.State != roster.ActionPlanned:
		case a.Drift.Subject.Type == roster.TypeMember:
			s.aim = append(s.aim, a.Drift.Subject.ObjectID)
		case a.Drift.Subject.Type == roster.TypeMembership:
			s.aimPairs = append(s.aimPairs, [2]string{a.Drift.TeamObject, a.Drift.MemberObject})
		}
	}
}

func (s *sim) fullRun(p perils) { s.ask(roster.ModeFull, p) }

func (s *sim) deltaRun(p perils) { s.ask(roster.ModeDelta, p) }

// ask asks for a run and works it off.
func (s *sim) ask(mode roster.Mode, p perils) string {
	s.t.Helper()
	id := s.commit(operator(), roster.RunRequest{Connection: s.conn, Mode: mode, By: "op"})[0].ID
	s.execute(id, p)
	return id
}

// execute works a run off, with what it meets, and holds it against what was true before and meanwhile.
func (s *sim) execute(id string, p perils) {
	s.t.Helper()
	w := s.watchRun(id, p)
	s.note("run %s%s", id, p)
	lease := time.Minute
	if p.cancelAt > 0 {
		lease = 200 * time.Millisecond
	}
	byClock := p.dieAt%4 == 1
	if byClock {
		lease = 100 * time.Millisecond
	}
	dies := p.dieAt+p.dieBefore+p.dieAfter > 0
	first := s.process("first", lease, dies, func(c *syncer.Config) { c.Calls, c.Looks = p.calls, p.looks })
	dead := false
	kill := func() {
		dead = true
		s.met.add("a process that died", 1)
		s.note("  the process dies")
		first.kill()
	}
	goOn := func() {}
	sleep := func() {
		s.note("  the process sleeps while another takes over")
		s.stillRight(w)
		w.taken = true
		if (p.sleepAt+p.sleepBefore)%2 == 0 {
			s.takeOver(false)
		} else {
			goOn = s.takeOverInPart()
		}
		w.asleep = s.dump()
	}
	clear := s.setPerils(w, p, kill, sleep)
	first.commit.before = func(n int) {
		switch n {
		case p.pushAtCommit:
			s.met.add("a push between two commits", 1)
			s.aimAt(w)
			s.disturb(w)
			s.aim, s.aimPairs = nil, nil
		case p.dieBefore:
			kill()
		case p.sleepBefore:
			sleep()
		}
	}
	first.commit.after = func(n int) {
		if n == p.dieAfter {
			kill()
		}
	}
	if !first.syncer.WorkOne(s.ctx) {
		s.t.Errorf("there was no run to work off")
	}
	w.busy.Wait() // the request that was held up may have been given up, and what held it up still be going on
	if w.asleep != "" && s.dump() != w.asleep {
		s.t.Errorf("the holder whose lease had passed on wrote something")
	}
	goOn()
	if dead {
		w.taken = true
		s.takeOver(byClock)
	}
	clear()
	s.afterRun(w)
}

func (s *sim) watchRun(id string, p perils) *watch {
	w := &watch{id: id, cursor: s.position()}
	for _, f := range p.faults {
		w.lag, w.lies = max(w.lag, f.lag), w.lies || f.lies
	}
	w.from = max(0, s.version()-w.lag)
	c, err := s.db.Connection(s.ctx, s.org, s.conn)
	if err != nil {
		s.t.Fatal(err)
	}
	w.settled, w.again, w.told = c.Settled, s.approved[id] != nil, map[string]bool{}
	for _, e := range s.look().events {
		w.told[e.text("id")] = true
	}
	s.right(w, nil)
	return w
}

// setPerils injects what the run meets at the IdP; it returns what takes it away.
func (s *sim) setPerils(w *watch, p perils, kill, sleep func()) (remove func()) {
	var clear []func()
	for _, f := range p.faults {
		f.fault.BeforeRead = func() {
			if f.breaks && !w.read {
				w.struck = append(w.struck, f.name)
			}
		}
		clear = append(clear, s.dir.Inject(f.fault))
	}
	clear = append(clear, s.dir.Inject(idpsim.Fault{Path: s.dir.usersPath(), BeforeRead: func() { w.read = true }}))
	at := func(n int, do func()) {
		if n > 0 {
			clear = append(clear, s.dir.Inject(idpsim.Fault{Skip: n - 1, Count: 1, BeforeAnswer: func() {
				w.busy.Add(1)
				defer w.busy.Done()
				do()
			}}))
		}
	}
	at(p.pushAt, func() {
		s.met.add("a push during a run", 1)
		s.disturb(w)
	})
	at(p.dieAt, kill)
	at(p.sleepAt, sleep)
	at(p.cancelAt, func() {
		s.note("  the run is cancelled")
		s.commit(operator(), roster.RunCancel{ID: w.id, By: "op"})
		time.Sleep(120 * time.Millisecond)
	})
	return func() {
		for _, c := range clear {
			c()
		}
	}
}

func (p perils) String() string {
	var out []string
	for _, f := range p.faults {
		out = append(out, fmt.Sprintf("%s (skip %d, count %d)", f.name, f.fault.Skip, f.fault.Count))
	}
	for name, n := range map[string]int{"push at answer": p.pushAt, "push at commit": p.pushAtCommit, "dies at answer": p.dieAt,
		"dies before commit": p.dieBefore, "dies after commit": p.dieAfter, "sleeps at answer": p.sleepAt, "sleeps before commit": p.sleepBefore,
		"cancelled at answer": p.cancelAt, "calls": p.calls, "looks": p.looks} {
		if n > 0 {
			out = append(out, fmt.Sprintf("%s %d", name, n))
		}
	}
	slices.Sort(out)
	if len(out) == 0 {
		return ""
	}
	return " with " + strings.Join(out, ", ")
}

// afterRun checks a run that has ended.
func (s *sim) afterRun(w *watch) {
	s.t.Helper()
	run, actions := s.show(w.id)
	s.note("  ended %s %s, complete %t, %d actions, calls for approval %d, parked %v %s %s", run.Mode, run.State, run.Complete, len(actions), len(run.Held),
		s.parked(), run.Note, run.Error)
	s.tell(&run)
	for _, a := range actions {
		s.note("    %s %s %s (%s %s): %s %s: %s", a.Drift.Kind, a.Drift.Action, a.Drift.Subject.Name, a.Drift.Subject.ID, a.Drift.Subject.ObjectID,
			a.State, a.Note, a.Drift.Reason)
		s.met.add(string(a.State)+" "+string(a.Drift.Action), 1)
		if a.Drift.Kind == roster.ConflictKind {
			s.met.add("a listed conflict", 1)
		}
	}
	if !run.State.Finished() {
		s.t.Errorf("run %s is %s", w.id, run.State)
	}
	if run.State == roster.RunFailed && strings.Contains(run.Error, "internal error") {
		s.t.Errorf("run %s failed: %s", w.id, run.Error)
	}
	if !run.Complete && run.Mode != roster.ModeDelta {
		s.met.add("a list that was not whole", 1)
	}
	if run.State == roster.RunHeld {
		s.met.add("a run that was held", 1)
	}
	if len(w.struck) > 0 && run.Complete && !w.taken && !w.again {
		s.t.Errorf("run %s is complete, though it met %v", w.id, w.struck)
	}
	s.stillRight(w)
	s.checkHonest(w, actions)
	s.checkEvidence(w, run)
	s.checkDelta(w, &run, actions)
	s.checkGuards(w, actions)
	s.checkHeld(w)
}

// silenceCounts says whether silence about people counts for a run: that takes every list, but of an IdP that keeps the
// groups apart only those of people, and of a delta the list that it reads in full.
func silenceCounts(run roster.Run, lists []store.Collection) bool {
	whole := map[string]bool{}
	apart := false
	for _, l := range lists {
		whole[l.Kind], apart = whole[l.Kind] || l.Whole, apart || l.Kind == "teams"
	}
	switch {
	case run.Mode == roster.ModeDelta && !apart:
		return whole["assignments"]
	case apart:
		return whole["assignments"] && whole["users"]
	}
	return run.Complete
}

// tell counts what a run was.
func (s *sim) tell(run *roster.Run) {
	switch {
	case run.Mode == roster.ModeDelta:
		s.met.add("a delta", 1)
		if run.State == roster.RunFailed {
			s.met.add("a delta that failed", 1)
		}
	case strings.Contains(run.Note, "doesn't take the cursor"):
		s.met.add("a cursor that was lost", 1)
	case strings.Contains(run.Note, "read in full"):
		s.met.add("a delta read in full", 1)
	}
	if len(s.parked()) > 0 {
		s.met.add("something parked", 1)
	}
}

// checkDelta checks that a delta acts on words and looks, never on silence alone, and that its cursor did not move on over
// anything that is neither done, held nor parked.
func (s *sim) checkDelta(w *watch, run *roster.Run, actions []roster.RunAction) {
	s.t.Helper()
	if run.Mode != roster.ModeDelta || w.again {
		return
	}
	if run.Complete && s.connection().Kind == roster.KindEntra {
		s.t.Errorf("delta %s says that it read everything", w.id)
	}
	parked := s.parked()
	moved := w.cursor != "" && s.position() != w.cursor
	for i := range actions {
		d := &actions[i].Drift
		text := ""
		for _, e := range d.Evidence {
			text += e.Text + "; "
		}
		spoken := strings.Contains(text, "second look") || strings.Contains(text, "is false") || strings.Contains(text, "switched off") || strings.Contains(text, "deleted in") ||
			strings.Contains(text, "not assigned to the application any more") // Okta's own word of the person, asked for by id
		if d.Kind == roster.OrphanedMember && d.Action == roster.ActDeactivate && !spoken {
			s.t.Errorf("delta %s would deactivate %s by silence: %s", w.id, d.Subject.Name, text)
		}
		key := string(d.Subject.Type) + " " + d.Subject.ObjectID
		if d.Subject.Type == roster.TypeMembership {
			key = "team " + d.TeamObject
		}
		if st := actions[i].State; moved && (st == roster.ActionRefused || st == roster.ActionSkipped && actions[i].Note != "it was so already") && !slices.Contains(parked, key) {
			s.t.Errorf("delta %s moved its cursor over %s %s, which it did not apply and did not park", w.id, d.Kind, d.Subject.Name)
		}
	}
}

func (s *sim) position() string {
	s.t.Helper()
	if c := s.cursor(); c != nil {
		return c.Position + c.Run
	}
	return ""
}

// done are the events that a run's actions make, as "type subject".
func (s *sim) done(a *roster.RunAction) string {
	d := &a.Drift
	typ := map[roster.Action]string{roster.ActCreate: "created", roster.ActUpdate: "updated", roster.ActDeactivate: "deactivated",
		roster.ActReactivate: "reactivated", roster.ActRestore: "restored", roster.ActDelete: "deleted", roster.ActAdd: "added", roster.ActRemove: "removed"}[d.Action]
	if d.Subject.Type == roster.TypeMembership {
		return fmt.Sprintf("membership.%s %s/%s", typ, s.seen.teamByObject[d.TeamObject].text("id"), s.seen.memberByObject[d.MemberObject].text("id"))
	}
	id := d.Subject.ID
	if d.Action == roster.ActCreate {
		if id = s.seen.memberByObject[d.Subject.ObjectID].text("id"); d.Subject.Type == roster.TypeTeam {
			id = s.seen.teamByObject[d.Subject.ObjectID].text("id")
		}
	}
	return fmt.Sprintf("%s.%s %s", d.Subject.Type, typ, id)
}

// checkHonest holds what the run did, by its events, against what it says it did.
func (s *sim) checkHonest(w *watch, actions []roster.RunAction) {
	s.t.Helper()
	var said, did []string
	for i := range actions {
		if actions[i].State == roster.ActionApplied {
			said = append(said, s.done(&actions[i]))
		}
	}
	for _, e := range s.seen.events {
		typ := e.text("type")
		if e.text("run_id") != w.id {
			continue
		}
		switch what := typ[strings.Index(typ, ".")+1:]; what {
		case "created", "updated", "deactivated", "reactivated", "restored", "deleted", "added", "removed":
			did = append(did, typ+" "+e.text("subject_id"))
		}
	}
	slices.Sort(said)
	slices.Sort(did)
	if !slices.Equal(said, did) {
		s.t.Errorf("run %s says that it did\n\t%s\nand did\n\t%s", w.id, strings.Join(said, "\n\t"), strings.Join(did, "\n\t"))
	}
}

// checkEvidence checks that the run took nothing without evidence.
func (s *sim) checkEvidence(w *watch, run roster.Run) {
	s.t.Helper()
	lists, err := s.db.Collections(s.ctx, w.id, false)
	if err != nil {
		s.t.Fatal(err)
	}
	broken, apart := map[string]bool{}, false
	for _, c := range lists {
		key := c.Kind + " " + c.ObjectID
		if c.Whole && c.Objects == 0 && s.lists[key] > 0 && !w.taken && !w.again {
			s.t.Errorf("run %s believed an empty list of %s at once, which had %d", w.id, c.Name, s.lists[key])
		}
		apart = apart || c.Kind == string(connectors.Teams)
		if !c.Whole {
			broken[key] = true
		}
		if !w.again && run.Mode != roster.ModeDry && (c.Whole || strings.Contains(c.Error, "an answer so much shorter")) && run.State != roster.RunCancelled && run.State != roster.RunFailed {
			s.lists[key] = c.Objects
		}
	}
	for _, e := range s.seen.events {
		if e.text("run_id") != w.id || w.told[e.text("id")] {
			continue
		}
		subject := e.text("subject_id")
		switch e.text("type") {
		case "member.deactivated":
			object := s.seen.objectOfMember[subject]
			always, explicit := object != "", false
			for _, tr := range s.history[w.from:] {
				u, known := tr.people[object]
				_, in := tr.desired[object]
				always, explicit = always && in, explicit || !known || u.off
			}
			if always {
				s.t.Errorf("run %s deactivated %s, who was in scope all the time", w.id, e.text("subject_name"))
			}
			// What a delta acted on is held against its words by checkDelta.
			if run.Mode != roster.ModeDelta && !silenceCounts(run, lists) && !w.taken && !explicit {
				s.t.Errorf("run %s did not read every list whole and deactivated %s, who was neither disabled nor deleted", w.id, e.text("subject_name"))
			}
		case "membership.removed":
			team, _, _ := strings.Cut(subject, "/")
			if !w.taken && broken["members "+s.seen.objectOfTeam[team]] {
				s.t.Errorf("run %s removed %s, though that list was not whole", w.id, e.text("subject_name"))
			}
		case "team.deleted":
			list := "assignments "
			if apart { // the groups that are teams are a list of their own
				list = "teams "
			}
			if !w.taken && broken[list] {
				s.t.Errorf("run %s deleted %s, though the list of teams was not whole", w.id, e.text("subject_name"))
			}
		}
	}
}

// checkGuards adds up what runs took unasked, and holds it against the default limits: no more than the floor, as the
// share of so few is always crossed.
func (s *sim) checkGuards(w *watch, actions []roster.RunAction) {
	s.t.Helper()
	teams := map[string]int{}
	for _, a := range actions {
		class := a.Drift.Guard()
		if a.State != roster.ActionApplied || class == roster.GuardNone || s.approved[w.id][a.N] {
			continue
		}
		key := fmt.Sprint(w.id, a.N)
		if s.counted[key] {
			continue
		}
		s.counted[key] = true
		if !w.settled && class != roster.GuardReactivate {
			s.t.Errorf("run %s, one of the first, took %s unasked", w.id, a.Drift.Subject.Name)
		}
		if a.Drift.Uncounted {
			continue
		}
		s.removed[class]++
		if class == roster.GuardMembership {
			teams[a.Drift.TeamObject]++
			if n, size := teams[a.Drift.TeamObject], a.Drift.TeamSize; !s.wide && size > 10 && n*2 > size {
				s.t.Errorf("run %s took more than half of team %s unasked", w.id, a.Drift.TeamName)
			}
		}
	}
	for class, floor := range map[roster.Guarded]int{roster.GuardMember: 5, roster.GuardReactivate: 5, roster.GuardMembership: 20} {
		if s.removed[class] > floor && !s.wide {
			s.t.Errorf("runs took or gave %d %s unasked", s.removed[class], class)
		}
	}
}

// checkHeld checks that a run left alone what other runs hold.
func (s *sim) checkHeld(w *watch) {
	s.t.Helper()
	for _, held := range s.heldRuns() {
		if held.ID == w.id {
			continue
		}
		_, actions := s.show(held.ID)
		for i := range actions {
			a := &actions[i]
			if a.State != roster.ActionHeld || a.Drift.Subject.ID == "" {
				continue
			}
			for _, e := range s.seen.events {
				typ := e.text("type")
				if e.text("run_id") == w.id && e.text("subject_id") == a.Drift.Subject.ID && !strings.HasSuffix(typ, ".linked") && !strings.HasSuffix(typ, ".claimed") {
					s.t.Errorf("run %s did %s to %s, which run %s holds", w.id, typ, a.Drift.Subject.Name, held.ID)
				}
			}
		}
	}
}

func (s *sim) heldRuns() []roster.Run {
	runs, _, err := s.db.Runs(s.ctx, s.org, store.List{Status: string(roster.RunHeld)})
	if err != nil {
		s.t.Fatal(err)
	}
	return runs
}

// settleHeld approves so many percent of the held plans, some of them in part, and cancels the others.
func (s *sim) settleHeld(percent int) {
	for _, run := range s.heldRuns() {
		_, actions := s.show(run.ID)
		var kinds []roster.Kind
		for _, a := range actions {
			if a.State == roster.ActionHeld && !slices.Contains(kinds, a.Drift.Kind) {
				kinds = append(kinds, a.Drift.Kind)
			}
		}
		if len(kinds) == 0 {
			s.t.Errorf("run %s is held and holds nothing", run.ID)
			continue
		}
		if !chance(s.rng, percent) {
			s.note("cancel what run %s holds", run.ID)
			s.commit(operator(), roster.RunCancel{ID: run.ID, By: "op"})
			s.met.add("a plan that was cancelled", 1)
			continue
		}
		var only []roster.Kind
		if percent < 100 && chance(s.rng, 30) {
			only = []roster.Kind{pick(s.rng, kinds)}
		}
		s.note("approve what run %s holds: %v of %v", run.ID, only, kinds)
		if s.approved[run.ID] == nil {
			s.approved[run.ID] = map[int64]bool{}
		}
		for _, a := range actions {
			if a.State == roster.ActionHeld && (len(only) == 0 || slices.Contains(only, a.Drift.Kind)) {
				s.approved[run.ID][a.N] = true
			}
		}
		s.commit(operator(), roster.RunApprove{ID: run.ID, Only: only, By: "op"})
		s.met.add("a plan that was approved", 1)
		var p perils
		if percent < 100 && chance(s.rng, 30) {
			p = s.drawPerils()
		}
		s.execute(run.ID, p)
	}
}

func (s *sim) dryRun() {
	var p perils
	if chance(s.rng, 40) {
		p.faults = append(p.faults, s.dir.drawFault(s.rng))
	}
	before, counts, conn := s.dump(), s.counts(), s.connection()
	id := s.commit(operator(), roster.RunRequest{Connection: s.conn, Mode: roster.ModeDry, By: "op"})[0].ID
	s.note("a dry run")
	s.execute(id, p)
	s.met.add("a dry run", 1)
	conn.Fence = s.connection().Fence // a lease's number
	if s.dump() != before || s.counts() != counts || fmt.Sprint(s.connection()) != fmt.Sprint(conn) {
		s.t.Errorf("dry run %s wrote something", id)
	}
}

func (s *sim) counts() string {
	last, err := s.db.LastCounts(s.ctx, s.org, s.conn)
	if err != nil {
		s.t.Fatal(err)
	}
	return fmt.Sprint(last)
}

func (s *sim) connection() roster.Connection {
	c, err := s.db.Connection(s.ctx, s.org, s.conn)
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// comeToRest has everything stop that disturbs, and checks that two complete runs reach what the tenant wants (a third
// where approvals came between), and that another one has nothing to do.
func (s *sim) comeToRest() {
	s.t.Helper()
	s.note("everything comes to rest")
	s.dir.rest()
	s.record()
	s.settleHeld(100)
	for complete, tries := 0, 0; ; tries++ {
		id := s.commit(operator(), roster.RunRequest{Connection: s.conn, Mode: roster.ModeFull, By: "op"})[0].ID
		s.execute(id, perils{})
		run, _ := s.show(id)
		s.settleHeld(100)
		s.always()
		if run.Complete {
			complete++
		}
		if s.t.Failed() || complete >= 2 && len(s.differences(s.excused(id))) == 0 || complete >= 3 || tries > 8 {
			break
		}
		if complete == 2 {
			s.met.add("a third run was needed", 1)
		}
	}
	if s.t.Failed() {
		return
	}
	before := s.dump()
	id := s.commit(operator(), roster.RunRequest{Connection: s.conn, Mode: roster.ModeFull, By: "op"})[0].ID
	s.execute(id, perils{})
	run, actions := s.show(id)
	excused := s.excused(id)
	waits := false
	for i := range actions {
		a := &actions[i]
		switch {
		case a.Drift.Action == roster.ActNone && !excusable(&a.Drift):
			s.t.Errorf("the last run lists %s %s without good cause: %s", a.Drift.Kind, a.Drift.Subject.Name, a.Drift.Reason)
		case a.Drift.Action == roster.ActNone:
		case (a.State == roster.ActionRefused || a.State == roster.ActionSkipped) && (excused[a.Drift.Subject.ObjectID] || excused[a.Drift.MemberObject]):
			waits = true
		default:
			s.t.Errorf("the last run still has %s %s %s: %s", a.Drift.Kind, a.Drift.Action, a.Drift.Subject.Name, a.Drift.Reason)
		}
	}
	if run.State != roster.RunDone && !waits || !run.Complete {
		s.t.Errorf("the last run ended %s, complete %t: %s", run.State, run.Complete, run.Error)
	}
	if s.dump() != before {
		s.t.Errorf("the last run wrote something")
	}
	for _, d := range s.differences(excused) {
		s.t.Error(d)
	}
	if !s.t.Failed() {
		s.onlyDeltas()
	}
}

// onlyDeltas has the IdP change, with deltas alone repairing it. Each must leave the invariants as they were. Where nothing
// was pushed meanwhile, which no delta sees, they have to find every change of the IdP; a full run comes after in any case.
func (s *sim) onlyDeltas() {
	s.t.Helper()
	s.note("from now on there are only deltas")
	pushes, pushed := chance(s.rng, 50), false
	s.ask(roster.ModeDelta, perils{}) // without a cursor it is read in full
	for range 2 + s.rng.IntN(3) {
		for range 1 + s.rng.IntN(5) {
			pick(s.rng, []func(){s.changePeople, s.changePeople, s.changeNames, s.changeMembers, s.changeMembers, s.changeGroups})()
		}
		if pushes && chance(s.rng, 50) {
			s.push()
			pushed = true
		}
		if chance(s.rng, 10) {
			s.loseCursor()
		}
		for range 2 {
			s.ask(roster.ModeDelta, perils{})
			s.settleHeld(100)
		}
		s.always()
		if s.t.Failed() {
			return
		}
	}
	var left []string
	if !pushed {
		left = s.leftByDeltas(s.ask(roster.ModeDry, perils{}))
		s.met.add("a schedule of deltas alone", 1)
	}
	last := ""
	for range 3 {
		last = s.ask(roster.ModeFull, perils{})
		s.settleHeld(100)
	}
	for _, d := range s.differences(s.excused(last)) {
		s.t.Errorf("deltas, and full runs after them, left: %s", d)
	}
	still := s.differences(nil)
	for _, d := range left {
		if !slices.Contains(still, d) {
			s.t.Errorf("deltas did not see: %s", d)
		}
	}
}

// leftByDeltas are the differences that a dry run of everything doesn't excuse. Of what has no link only such a run speaks.
func (s *sim) leftByDeltas(dry string) []string {
	st := s.look()
	unlinked := map[string]bool{}
	for _, t := range st.teams {
		if st.objectOfTeam[t.text("id")] != "" {
			continue
		}
		unlinked[fmt.Sprintf("team %s should not be here", t.text("display_name"))] = true
		for _, m := range st.members {
			unlinked[fmt.Sprintf("%s in %s is true, should be false", m.text("user_name"), t.text("display_name"))] = true
		}
	}
	for _, m := range st.members {
		if st.objectOfMember[m.text("id")] == "" {
			unlinked[fmt.Sprintf("%s is live and should not be", m.text("user_name"))] = true
		}
	}
	return slices.DeleteFunc(s.differences(s.excused(dry)), func(d string) bool { return unlinked[d] })
}

// excused are the objects that need not be as the tenant wants them: those that the run lists with nothing to do, and
// those that wait for the userName of one of them.
func (s *sim) excused(run string) map[string]bool {
	_, actions := s.show(run)
	out := map[string]bool{}
	excuse := func(d *roster.Drift) {
		for _, id := range []string{d.Subject.ID, d.Subject.ObjectID, d.MemberID, d.MemberObject} {
			out[id] = true
		}
	}
	holders := map[string]string{}
	for _, m := range s.look().members {
		if m.text("status") != "deleted" {
			holders[m.text("user_name_key")] = m.text("id")
		}
	}
	for range len(actions) {
		for i := range actions {
			d := &actions[i].Drift
			holder := holders[roster.Fold(d.Values[roster.AttrUserName])]
			if d.Action == roster.ActNone || actions[i].State == roster.ActionRefused && holder != d.Subject.ID && out[holder] {
				excuse(d)
			}
			delete(out, "")
		}
	}
	return out
}

// excusable says whether a listed drift may stay when everything has come to rest.
func excusable(d *roster.Drift) bool {
	switch d.Kind {
	case roster.ConflictKind:
		return true
	case roster.RedundantSoftDelete:
		return strings.Contains(d.Reason, "an operator")
	case roster.StaleMember, roster.StaleTeam:
		return strings.Contains(d.Reason, "has not changed since a run last saw it")
	case roster.OrphanedMember, roster.OrphanedTeam:
		return strings.Contains(d.Reason, "unclaimed") || strings.Contains(d.Reason, "not found there yet, and pushed less than")
	case roster.ExtraMembership:
		return strings.Contains(d.Reason, "not linked to this connection") || strings.Contains(d.Reason, "no connection owns the team")
	}
	return false
}
