package syncer_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/idpsim"
	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
	"github.com/rosterd/rosterd/internal/store/storetest"
	"github.com/rosterd/rosterd/reconcile"
	"github.com/rosterd/rosterd/scimserver"
	"github.com/rosterd/rosterd/syncer"
)

// sim is one schedule: a tenant that pushes to the SCIM server of one organisation and is pulled by its runs, a second
// organisation that none of it may touch, and what was seen so far.
type sim struct {
	*world
	ctx      context.Context
	rng      *rand.Rand
	met      *tally
	where    storetest.Database
	trace    []string
	scim     string
	token    string
	dir      directory
	limits   reconcile.Limits
	batch    int
	wide     bool // limits that let everything through
	names    int
	away     []string    // soft-deleted people
	aim      []string    // whom most of what happens now happens to
	aimPairs [][2]string // the same of groups and their members

	history  []*truth // by the tenant's version
	other    string   // the second organisation
	otherWas string
	localWas string
	seen     state
	linkedTo map[string]string // which object a member was ever linked to
	approved map[string]map[int64]bool
	removed  map[roster.Guarded]int
	lists    map[string]int  // how long each list was when it was last read to its end
	counted  map[string]bool // actions that are in removed, or were asked for
}

func newSim(t *testing.T, d storetest.Database, seed uint64, met *tally) *sim {
	t.Helper()
	s := &sim{
		world: &world{t: t}, ctx: t.Context(), rng: rand.New(rand.NewPCG(seed, 0x5e12d)), met: met, where: d,
		linkedTo: map[string]string{}, approved: map[string]map[int64]bool{}, removed: map[roster.Guarded]int{}, counted: map[string]bool{}, lists: map[string]int{},
	}
	s.db = storetest.Open(t, d)
	s.roster, s.org, s.other = roster.New(s.db), roster.NewID(), roster.NewID()
	people, groups, page := 8+s.rng.IntN(18), 3+s.rng.IntN(3), 3+s.rng.IntN(8)
	s.startTenant(seed, people, groups, page)
	s.record()
	settles := []time.Duration{0, settle}
	s.openConnections(page, pick(s.rng, settles))
	s.serveSCIM()
	s.note("%T, %d people, %d groups, limits wide: %t, batches of %d", s.dir, people, groups, s.wide, s.batch)
	return s
}

// startTenant starts the tenant of one IdP; every third is Okta's.
func (s *sim) startTenant(seed uint64, people, groups, page int) {
	s.t.Helper()
	listen := func(l func(string) (*idpsim.Server, error)) string {
		srv, err := l("127.0.0.1:0")
		if err != nil {
			s.t.Fatal(err)
		}
		s.t.Cleanup(func() { _ = srv.Close() })
		return srv.URL
	}
	if seed%3 == 0 {
		d := newOkta(seed, people, groups, page)
		d.url = listen(d.Listen)
		s.dir = d
		return
	}
	d := newEntra(seed, people, groups, page, s.rng)
	d.url = listen(d.Listen)
	s.dir = d
}

// openConnections declares the organisations, each with a connection to the tenant, and what their runs read from.
func (s *sim) openConnections(page int, settle time.Duration) {
	s.t.Helper()
	reader, m, sync, evidence, err := s.dir.open(page)
	sync.Settle = settle
	if err != nil {
		s.t.Fatal(err)
	}
	s.limits, s.batch = reconcile.DefaultLimits(), 1+s.rng.IntN(12)
	if s.wide = chance(s.rng, 50); s.wide {
		s.limits = reconcile.Limits{TeamFloor: 1000, TeamPercent: 100, MismatchFloor: 1000, MismatchPercent: 100}
		for _, l := range []*reconcile.Limit{
			&s.limits.Members, &s.limits.Memberships, &s.limits.Reactivations, &s.limits.Renames, &s.limits.Conflicts,
		} {
			*l = reconcile.Limit{Ceiling: 1000, Floor: 1000, Percent: 100}
		}
	}
	s.cfg = syncer.Config{
		Store: s.db, Roster: s.roster, Holder: "first", Log: slog.New(slog.DiscardHandler), Lease: time.Minute, Limits: s.limits,
		Batch: s.batch, Sources: map[string]syncer.Source{},
	}
	for _, org := range []string{s.other, s.org} {
		s.world.org = org
		s.commit(roster.Cause{}, roster.OrgCreate{ID: org, Name: "org " + org, SCIM: true})
		s.conn = s.commit(roster.Cause{}, sync)[0].ID
		s.cfg.Sources[s.conn] = syncer.Source{Reader: reader, Mapping: m, Evidence: evidence, Delta: chance(s.rng, 70)}
		s.syncer = s.another("first")
		if org == s.other {
			s.baseline()
			s.otherWas = s.dump()
		}
	}
	s.note("settle %s, pages of %d", settle, page)
}

// serveSCIM opens the SCIM server, and the tenant's push engine on it.
func (s *sim) serveSCIM() {
	s.t.Helper()
	server, err := scimserver.New(scimserver.Config{Roster: s.roster, Store: s.db, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		s.t.Fatal(err)
	}
	h := httptest.NewServer(server.Before(http.NotFoundHandler()))
	s.t.Cleanup(h.Close)
	s.scim = h.URL + "/scim/v2"
	bound := s.conn
	if chance(s.rng, 20) {
		bound = ""
		s.note("the token is bound to no connection")
	}
	id, plain, hash := roster.MintToken()
	s.commit(operator(), roster.TokenCreate{Token: roster.Token{ID: id, Org: s.org, Name: "push", Connection: bound, Hash: hash}})
	s.token = plain
	if err := s.dir.pushTo(s.scim, plain, h.Client(), s.rng); err != nil {
		s.t.Fatal(err)
	}
}

func (s *sim) note(format string, args ...any) {
	s.trace = append(s.trace, fmt.Sprintf(format, args...))
}

// idp changes something in the tenant and records what is true then. What the tenant refuses did not happen.
func (s *sim) idp(err error) bool {
	s.record()
	if err != nil {
		s.note("  refused by the tenant: %v", err)
	}
	return err == nil
}

// begin brings the schedule to one of the states in which rosterd may meet a tenant.
func (s *sim) begin() {
	s.commit(operator(), roster.MemberInvite{Email: "local.one@contoso.example", Role: roster.RoleOwner},
		roster.MemberInvite{Email: "local.two@contoso.example", Role: roster.RoleMember})
	s.look()
	s.localWas = s.seen.locals()
	if chance(s.rng, 60) {
		s.push()
	}
	s.always()
	if chance(s.rng, 80) {
		s.fullRun(perils{})
		s.always()
		s.settleHeld(100)
		s.always()
	}
}

// step does one random thing.
func (s *sim) step() {
	if len(s.heldRuns()) > 0 && chance(s.rng, 25) {
		s.settleHeld(60)
		return
	}
	steps := []struct {
		weight int
		do     func()
	}{
		{22, s.changePeople}, {7, s.changeNames}, {8, s.changeGroups}, {8, s.changeMembers}, {3, s.changeMany},
		{16, s.push}, {3, s.oddity}, {9, s.damage}, {3, s.operate},
		{14, func() { s.fullRun(s.drawPerils()) }}, {16, func() { s.deltaRun(s.drawPerils()) }}, {2, s.loseCursor}, {4, s.dryRun},
	}
	total := 0
	for _, st := range steps {
		total += st.weight
	}
	n := s.rng.IntN(total)
	for _, st := range steps {
		if n -= st.weight; n < 0 {
			st.do()
			return
		}
	}
}

func (s *sim) fresh(what string) string {
	s.names++
	return fmt.Sprintf("%s.%d", what, s.names)
}

func (s *sim) anybody() (simPerson, bool) {
	all := s.dir.people()
	if len(s.aim) > 0 && chance(s.rng, 70) {
		if u, ok := s.dir.person(pick(s.rng, s.aim)); ok {
			return u, true
		}
	}
	if len(all) == 0 {
		return simPerson{}, false
	}
	return pick(s.rng, all), true
}

func (s *sim) changePeople() {
	u, ok := s.anybody()
	if !ok {
		return
	}
	switch s.rng.IntN(9) {
	case 0, 1:
		name := s.fresh("joiner") + "@contoso.example"
		switch {
		case chance(s.rng, 6):
			name = "local.two@contoso.example"
		case chance(s.rng, 15) && len(s.away) > 0:
			name = s.lastName(pick(s.rng, s.away)) // a re-hire, or somebody else of that name
			s.met.add("a userName handed over", 1)
		}
		added, err := s.dir.add(name)
		s.note("add %s", name)
		if !s.idp(err) {
			return
		}
		teams := s.dir.teams()
		joins := len(teams) > 0 && chance(s.rng, 60)
		if joins {
			s.idp(s.dir.join(pick(s.rng, teams).ObjectID, added))
		}
		if !joins || !s.dir.teamsGrant() {
			s.idp(s.dir.assign(added))
		}
	case 2:
		s.note("assign %s", u.name)
		s.idp(s.dir.assign(u.id))
	case 3, 4:
		s.note("take %s out of scope", u.name)
		s.dir.leave(u.id, s.idp)
	case 5:
		s.note("disable %s", u.name)
		s.idp(s.dir.disable(u.id))
	case 6:
		for _, u := range s.dir.people() {
			if u.off && chance(s.rng, 60) {
				s.note("enable %s", u.name)
				s.idp(s.dir.enable(u.id))
			}
		}
	case 7:
		s.note("soft-delete %s", u.name)
		if s.idp(s.dir.remove(u.id)) {
			s.away = append(s.away, u.id)
		}
	case 8:
		if len(s.away) == 0 {
			return
		}
		id := pick(s.rng, s.away)
		if chance(s.rng, 25) {
			s.note("purge %s", id)
			s.idp(s.dir.purge(id))
			return
		}
		s.note("restore %s", id)
		s.idp(s.dir.restore(id))
	}
}

// changeNames renames people, hands userNames over, swaps them, and changes what else is mapped.
func (s *sim) changeNames() {
	u, ok := s.anybody()
	v, _ := s.anybody()
	if !ok {
		return
	}
	rename := func(id, to string) bool {
		return s.idp(s.dir.rename(id, to))
	}
	switch s.rng.IntN(6) {
	case 0:
		s.note("rename %s", u.name)
		rename(u.id, s.fresh("renamed")+"@contoso.example")
	case 1, 2:
		if u.id == v.id {
			return
		}
		s.note("swap %s and %s", u.name, v.name)
		rename(u.id, s.fresh("tmp")+"@contoso.example")
		rename(v.id, u.name)
		rename(u.id, v.name)
		s.met.add("a userName handed over", 1)
	case 3:
		if u.id == v.id {
			return
		}
		s.note("hand %s over to %s", u.name, v.name)
		if rename(u.id, s.fresh("former")+"@contoso.example") {
			rename(v.id, u.name)
		}
		s.met.add("a userName handed over", 1)
	case 4:
		s.note("new displayName of %s", u.name)
		s.idp(s.dir.display(u.id, s.fresh("Name")))
	case 5:
		mail := s.fresh("mail") + "@contoso.example"
		if chance(s.rng, 25) {
			mail = v.mail // two people with one address
		}
		s.note("new mail of %s: %s", u.name, mail)
		s.idp(s.dir.mail(u.id, mail))
	}
}

// changeMany changes one attribute of nearly everybody, as a change of mapping does, or disables many.
func (s *sim) changeMany() {
	word := s.fresh("All")
	off := chance(s.rng, 40)
	s.note("change many: %s, disable %t", word, off)
	for _, u := range s.dir.people() {
		switch {
		case off && chance(s.rng, 50):
			s.idp(s.dir.disable(u.id))
		case !off:
			s.idp(s.dir.display(u.id, word+" "+u.name))
		}
	}
}

func (s *sim) changeGroups() {
	teams := s.dir.teams()
	switch s.rng.IntN(5) {
	case 0:
		name := s.fresh("Group")
		if chance(s.rng, 8) && len(teams) > 0 {
			name = pick(s.rng, teams).DisplayName
		}
		g, err := s.dir.addGroup(name)
		s.note("add group %s", name)
		if !s.idp(err) {
			return
		}
		for range 1 + s.rng.IntN(5) {
			if u, ok := s.anybody(); ok {
				s.idp(s.dir.join(g, u.id))
			}
		}
		s.idp(s.dir.makeTeam(g))
	case 1:
		if len(teams) == 0 {
			return
		}
		t := pick(s.rng, teams)
		s.note("rename group %s", t.DisplayName)
		s.idp(s.dir.renameGroup(t.ObjectID, s.fresh("Renamed group")))
	case 2:
		if len(teams) < 2 {
			return
		}
		t := pick(s.rng, teams)
		s.note("unassign group %s", t.DisplayName)
		s.idp(s.dir.unmakeTeam(t.ObjectID))
	case 3:
		g := pick(s.rng, s.dir.groups())
		s.note("assign group %s", g)
		s.idp(s.dir.makeTeam(g))
	case 4:
		if len(teams) < 2 || !chance(s.rng, 50) {
			return
		}
		t := pick(s.rng, teams)
		s.note("delete group %s", t.DisplayName)
		s.idp(s.dir.deleteGroup(t.ObjectID))
	}
}

func (s *sim) changeMembers() {
	teams := s.dir.teams()
	if len(teams) == 0 {
		return
	}
	t := pick(s.rng, teams)
	for _, p := range s.aimPairs {
		if !chance(s.rng, 60) {
			continue
		}
		s.note("turn round %s in %s", p[1], p[0])
		if slices.Contains(s.dir.members(p[0]), p[1]) {
			s.idp(s.dir.part(p[0], p[1]))
		} else {
			s.idp(s.dir.join(p[0], p[1]))
		}
	}
	for range 1 + s.rng.IntN(3) {
		if chance(s.rng, 50) && len(t.Members) > 0 {
			id := pick(s.rng, t.Members)
			s.note("out of %s: %s", t.DisplayName, id)
			s.idp(s.dir.part(t.ObjectID, id))
		} else if u, ok := s.anybody(); ok {
			s.note("into %s: %s", t.DisplayName, u.name)
			s.idp(s.dir.join(t.ObjectID, u.id))
		}
	}
}

// push runs a cycle of the tenant's push engine, of which some changes may be lost.
func (s *sim) push() {
	switch s.rng.IntN(10) {
	case 0, 1, 2:
		salt := s.rng.Uint64()
		s.dir.missWhere(func(id string) bool { return hash(id, salt)%3 == 0 })
	case 3:
		s.dir.missWhere(func(string) bool { return true })
	}
	sum, err := s.dir.cycle(s.ctx)
	s.dir.missWhere(nil)
	if err != nil {
		s.t.Errorf("the push cycle: %v", err)
	}
	s.met.add("a change that was missed", sum.Missed)
	s.note("push: created %d, updated %d, disabled %d, deleted %d, skipped %d, missed %d, failed %d, members +%d -%d%s", sum.Created, sum.Updated,
		sum.Disabled, sum.Deleted, sum.Skipped, sum.Missed, sum.Failed, sum.MembersAdded, sum.MembersRemoved,
		map[bool]string{true: ", in quarantine"}[sum.Quarantine != ""])
	for _, f := range sum.Of(idpsim.Failed) {
		s.note("  failed: %s: %s", f.Name, f.Reason)
		if f.Status >= 500 {
			s.t.Errorf("a push of %s was answered %d", f.Name, f.Status)
		}
	}
}

func hash(id string, salt uint64) uint64 {
	h := salt
	for _, c := range id {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h >> 7
}

// oddity is what happens with one IdP only.
func (s *sim) oddity() {
	what, err := s.dir.oddity(s.ctx, s.rng, s.anybody)
	s.note("%s", what)
	s.idp(err)
}

// loseCursor has the IdP forget the cursors that it gave.
func (s *sim) loseCursor() {
	if s.dir.expireCursor(s.rng) {
		s.note("the IdP takes no cursor any more")
	}
}

// damage is what somebody with a token does that the IdP does not know of.
func (s *sim) damage() {
	s.look()
	var people, groups []row
	for _, m := range s.seen.members {
		if m.text("status") != "deleted" && m.text("source") == "scim" {
			people = append(people, m)
		}
	}
	for _, t := range s.seen.teams {
		if t.text("status") != "deleted" {
			groups = append(groups, t)
		}
	}
	if len(people) == 0 || len(groups) == 0 {
		return
	}
	m, t := pick(s.rng, people), pick(s.rng, groups)
	op := func(o, path string, v any) map[string]any {
		return map[string]any{"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:PatchOp"},
			"Operations": []map[string]any{{"op": o, "path": path, "value": v}}}
	}
	ref := []map[string]any{{"value": m.text("id")}}
	user, group := "/Users/"+m.text("id"), "/Groups/"+t.text("id")
	switch s.rng.IntN(12) {
	case 0:
		s.send("DELETE", user, nil)
	case 1, 2:
		s.send("PATCH", user, op("replace", "active", false))
	case 3:
		s.send("PATCH", user, op("replace", "active", true))
	case 4, 5:
		s.send("PATCH", group, op("remove", "members", ref))
	case 6:
		s.send("PATCH", group, op("add", "members", ref))
	case 7:
		if chance(s.rng, 40) {
			s.send("DELETE", group, nil)
		}
	case 8:
		s.send("PATCH", user, op("replace", "displayName", s.fresh("Damaged")))
	case 9:
		s.send("PATCH", group, op("replace", "displayName", s.fresh("Damaged group")))
	case 10:
		name := s.fresh("ghost") + "@contoso.example"
		if chance(s.rng, 50) {
			if u, ok := s.anybody(); ok {
				name = u.name
			}
		}
		s.send("POST", "/Users", map[string]any{"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:User"}, "userName": name, "active": true})
	case 11:
		if chance(s.rng, 30) {
			s.send("PATCH", user, op("replace", "userName", s.fresh("mapped.otherwise")+"@contoso.example"))
		}
	}
}

func (s *sim) send(method, path string, body any) {
	var in io.Reader
	if body != nil {
		doc, err := json.Marshal(body)
		if err != nil {
			s.t.Fatal(err)
		}
		in = bytes.NewReader(doc)
	}
	req, err := http.NewRequestWithContext(s.ctx, method, s.scim+path, in)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	req.Header.Set("Content-Type", "application/scim+json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	answer, _ := io.ReadAll(res.Body)
	s.note("damage: %s %s: %d", method, path, res.StatusCode)
	if res.StatusCode >= 500 {
		s.t.Errorf("%s %s was answered %d: %s", method, path, res.StatusCode, answer)
	}
}

// operate is an operator switching somebody off, or on again.
func (s *sim) operate() {
	s.look()
	var on, off []row
	for _, m := range s.seen.members {
		switch {
		case m.text("source") != "scim":
		case m.text("status") == "deactivated" && m.text("off_by") == "operator":
			off = append(off, m)
		case m.text("status") == "pending":
			on = append(on, m)
		}
	}
	switch {
	case len(off) > 0 && chance(s.rng, 70):
		m := pick(s.rng, off)
		s.note("operator reactivates %s", m.text("user_name"))
		s.commit(operator(), roster.MemberSetStatus{ID: m.text("id"), Active: true})
	case len(on) > 0:
		m := pick(s.rng, on)
		s.note("operator deactivates %s", m.text("user_name"))
		s.commit(operator(), roster.MemberSetStatus{ID: m.text("id")})
		s.met.add("an operator's deactivation", 1)
	}
}

// process is a rosterd of its own on the same database: it can be killed without a word.
type process struct {
	db     *store.DB
	syncer *syncer.Syncer
	commit *tapped
}

// tapped lets something happen right before or after a commit.
type tapped struct {
	store  roster.Store
	n      int
	before func(n int)
	after  func(n int)
}

func (c *tapped) InTx(ctx context.Context, fn func(roster.Tx) error) error {
	c.n++
	n := c.n
	if c.before != nil {
		c.before(n)
	}
	err := c.store.InTx(ctx, fn)
	if err == nil && c.after != nil {
		c.after(n)
	}
	return err
}

func (s *sim) process(holder string, lease time.Duration, own bool, change func(*syncer.Config)) *process {
	p := &process{db: s.db}
	if own {
		p.db = storetest.Open(s.t, s.where)
	}
	p.commit = &tapped{store: p.db}
	cfg := s.cfg
	cfg.Holder, cfg.Lease, cfg.Store, cfg.Roster = holder, lease, p.db, roster.New(p.commit)
	if change != nil {
		change(&cfg)
	}
	var err error
	if p.syncer, err = syncer.New(cfg); err != nil {
		s.t.Fatal(err)
	}
	return p
}

// kill ends a process as SIGKILL would: nothing more of it reaches the database.
func (p *process) kill() { _ = p.db.Close() }

// takeOver has a second process work off what the first left, after its lease ran out.
func (s *sim) takeOver(byClock bool) {
	s.met.add("a lease that passed on", 1)
	s.t.Helper()
	s.second(s.process("second", time.Minute, false, nil), byClock)
}

// takeOverInPart has a second process take over as well, and stand right before its first commit: what the first one does
// now meets a run that another is at. It returns what lets the second one go on, and waits for its end.
func (s *sim) takeOverInPart() (goOn func()) {
	s.met.add("a lease that passed on", 1)
	s.met.add("a holder that woke up beside the other one", 1)
	there, on, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
	p := s.process("second", time.Minute, false, nil)
	p.commit.before = func(n int) {
		if n == 1 {
			close(there)
			<-on
		}
	}
	go func() {
		defer close(ended)
		s.second(p, false)
	}()
	select {
	case <-there:
	case <-ended: // it had nothing to commit
	}
	return func() {
		close(on)
		<-ended
	}
}

// second has a process work the run off whose lease runs out.
func (s *sim) second(p *process, byClock bool) {
	for range 400 {
		if !byClock {
			if err := s.db.FreeLeases(s.ctx); err != nil {
				s.t.Error(err)
				return
			}
		}
		if p.syncer.WorkOne(s.ctx) {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	s.t.Error("nobody could take the run over")
}
