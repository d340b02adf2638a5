package roster

import (
	"bytes"
	"context"
	"maps"
	"slices"

	"github.com/google/uuid"
)

// NewID returns a UUIDv7: ids sort by the time they were made.
func NewID() string { return uuid.Must(uuid.NewV7()).String() }

type linkKey struct {
	connection string
	typ        ObjectType
	object     string
}

type memberState struct {
	was     *Member // as loaded; nil: made in this batch
	now     Member
	touched bool
	leaving bool // a later change of the batch gives up the userName
}

type teamState struct {
	was     *Team
	now     Team
	touched bool
	counted bool // only what it counts has changed: no new version
}

type membershipState struct {
	was *Membership
	now Membership
}

type linkState struct {
	was *Link
	now *Link // nil: to be dropped
}

// batch is the working set of one Commit: what was loaded, what it is by now, and what has to be told.
type batch struct {
	tx     Tx
	org    string
	cause  Cause
	handOn bool
	seq    int64 // the commit sequence number of this transaction

	members     map[string]*memberState
	byUserName  map[string][]string // folded key to ids, of every member that has or had it in this batch
	byEmail     map[string][]string
	knownNames  map[string]bool // userName keys that were looked up
	teams       map[string]*teamState
	memberships map[Pair]*membershipState
	refs        map[string]*MemberRef // of members that are named in lists only
	references  map[referenceKey]*referenceState
	locked      map[string]bool            // values that may name somebody
	nested      map[string]map[string]bool // the groups within a team
	nestings    map[Nesting]bool           // those that changed
	joined      map[string][]*Team         // by member: the teams that had named them before they came
	wholeTeams  map[string]bool
	links       map[linkKey]*linkState
	linksOf     map[string][]*linkState        // by type and target, as it is or was
	linksLoaded map[ObjectType]map[string]bool // targets whose links were loaded
	connections map[string]*Connection
	rows        Rows
	events      []Event
}

func newBatch(tx Tx, org string, cause Cause, handOn bool) *batch {
	return &batch{
		tx: tx, org: org, cause: cause, handOn: handOn, seq: tx.Seq(),
		members: map[string]*memberState{}, byUserName: map[string][]string{}, byEmail: map[string][]string{},
		refs: map[string]*MemberRef{}, references: map[referenceKey]*referenceState{}, nested: map[string]map[string]bool{},
		locked: map[string]bool{}, nestings: map[Nesting]bool{}, joined: map[string][]*Team{},
		knownNames: map[string]bool{}, teams: map[string]*teamState{}, memberships: map[Pair]*membershipState{},
		wholeTeams: map[string]bool{}, links: map[linkKey]*linkState{}, linksOf: map[string][]*linkState{},
		linksLoaded: map[ObjectType]map[string]bool{TypeMember: {}, TypeTeam: {}},
	}
}

func (b *batch) loadMembers(ctx context.Context, sel MemberSelect) error {
	found, err := b.tx.Members(ctx, b.org, sel)
	if err != nil {
		return err
	}
	for _, k := range sel.UserNameKeys {
		b.knownNames[k] = true
	}
	var fresh []string
	for i := range found {
		m := found[i]
		if b.members[m.ID] != nil {
			continue
		}
		b.members[m.ID] = &memberState{was: &m, now: m}
		b.members[m.ID].now.Attributes = m.Attributes.Clone()
		b.index(m.ID, &m)
		fresh = append(fresh, m.ID)
		if err := b.meet(ctx, b.stranger(m.Connection) || m.Source == SourceLocal); err != nil { // a policy decides of these
			return err
		}
	}
	return b.loadLinksOf(ctx, TypeMember, fresh)
}

func (b *batch) index(id string, m *Member) {
	k := Fold(m.UserName())
	if !slices.Contains(b.byUserName[k], id) {
		b.byUserName[k] = append(b.byUserName[k], id)
	}
	if e := Fold(m.Email()); e != "" && !slices.Contains(b.byEmail[e], id) {
		b.byEmail[e] = append(b.byEmail[e], id)
	}
}

func (b *batch) loadTeams(ctx context.Context, sel TeamSelect) error {
	found, err := b.tx.Teams(ctx, b.org, sel)
	if err != nil {
		return err
	}
	var fresh []string
	for i := range found {
		t := found[i]
		if b.teams[t.ID] == nil {
			b.teams[t.ID] = &teamState{was: &t, now: t}
			fresh = append(fresh, t.ID)
			if err := b.meet(ctx, b.stranger(t.Connection)); err != nil {
				return err
			}
		}
	}
	return b.loadLinksOf(ctx, TypeTeam, fresh)
}

func (b *batch) addMemberships(rows []Membership) {
	for i := range rows {
		r := rows[i]
		p := Pair{r.TeamID, r.MemberID}
		if b.memberships[p] == nil {
			b.memberships[p] = &membershipState{was: &r, now: r}
		}
	}
}

func (b *batch) loadWholeTeam(ctx context.Context, team string) error {
	if b.wholeTeams[team] {
		return nil
	}
	rows, err := b.tx.TeamMemberships(ctx, b.org, team)
	if err != nil {
		return err
	}
	b.addMemberships(rows)
	b.wholeTeams[team] = true
	return nil
}

func (b *batch) loadConnections(ctx context.Context) error {
	if b.connections != nil {
		return nil
	}
	found, err := b.tx.Connections(ctx, b.org)
	if err != nil {
		return err
	}
	b.connections = map[string]*Connection{}
	for i := range found {
		b.connections[found[i].ID] = &found[i]
	}
	return nil
}

// meet loads the connections if the batch needs to know of them and doesn't yet. A push mostly doesn't: it saves the
// database a question.
func (b *batch) meet(ctx context.Context, needed bool) error {
	if !needed || b.connections != nil {
		return nil
	}
	return b.loadConnections(ctx)
}

// stranger reports whether an owner is a connection of which a push knows no more than its id.
func (b *batch) stranger(owner string) bool { return owner != "" && owner != b.cause.Connection }

func (b *batch) connectionName(id string) string {
	if c := b.connections[id]; c != nil {
		return c.Name
	}
	if id == b.cause.Connection && b.cause.ConnectionName != "" {
		return b.cause.ConnectionName
	}
	return id
}

// sees reports whether the cause's connection may see an object: what it owns or is linked to, and what is unclaimed.
// An unbound token sees every scim object.
func (b *batch) sees(typ ObjectType, id, owner string, source Source) bool {
	return b.seenBy(b.cause.Connection, typ, id, owner, source)
}

func (b *batch) seenBy(c string, typ ObjectType, id, owner string, source Source) bool {
	if source != SourceSCIM {
		return false
	}
	return c == "" || owner == "" || owner == c || b.linkFrom(c, typ, id) != nil
}

// holder returns the live or deactivated member that has a userName now, other than the one given.
func (b *batch) holder(ctx context.Context, userName, except string) (*memberState, error) {
	key := Fold(userName)
	if !b.knownNames[key] {
		if err := b.loadMembers(ctx, MemberSelect{UserNameKeys: []string{key}}); err != nil {
			return nil, err
		}
	}
	for _, id := range b.byUserName[key] {
		s := b.members[id]
		if id == except || s.now.Status == Deleted || Fold(s.now.UserName()) != key || s.leaving {
			continue
		}
		return s, nil
	}
	return nil, nil
}

// markLeaving notes the members whose userName a later change of the batch gives up, so that names can be swapped.
func (b *batch) markLeaving(changes []Change) {
	for _, c := range changes {
		p, ok := c.(MemberPatch)
		if !ok || p.Values[AttrUserName] == "" {
			continue
		}
		s := b.members[p.ID]
		if s == nil || s.was == nil || s.was.AsOf() != p.Version {
			continue
		}
		s.leaving = Fold(s.now.UserName()) != Fold(p.Values[AttrUserName])
	}
}

// clashes reports whether two members that are not deleted ended with one userName.
func (b *batch) clashes() bool {
	seen := map[string]bool{}
	for _, s := range b.members {
		if s.now.Status == Deleted || (s.was != nil && !s.touched && !s.leaving) {
			continue
		}
		k := Fold(s.now.UserName())
		if seen[k] {
			return true
		}
		seen[k] = true
	}
	return false
}

// changed marks a member as changed by this batch and tells it.
func (b *batch) changed(s *memberState, before Member, event, reason string) {
	seq, now := b.seq, b.tx.Now()
	if !s.touched {
		s.now.Version++
		s.touched = true
	}
	s.now.Seq, s.now.UpdatedAt = seq, now
	if b.cause.By == ByPush {
		s.now.PushedSeq, s.now.PushedAt = seq, now
	}
	s.leaving = false
	b.index(s.now.ID, &s.now)
	b.tellMember(&before, &s.now, event, reason)
}

// gather collects the rows to write, in id order.
func (b *batch) gather() {
	for _, id := range slices.Sorted(maps.Keys(b.members)) {
		if s := b.members[id]; s.touched {
			row := MemberRow{Member: s.now, New: s.was == nil}
			row.Rekeyed = s.was != nil && Fold(s.was.UserName()) != Fold(s.now.UserName())
			b.rows.Members = append(b.rows.Members, row)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(b.teams)) {
		if s := b.teams[id]; s.touched || s.counted {
			row := TeamRow{Team: s.now, New: s.was == nil}
			row.Rekeyed = s.was != nil && s.was.ExternalID != s.now.ExternalID
			b.rows.Teams = append(b.rows.Teams, row)
		}
	}
	for _, s := range b.memberships {
		if s.was == nil || *s.was != s.now {
			b.rows.Memberships = append(b.rows.Memberships, s.now)
		}
	}
	slices.SortFunc(b.rows.Memberships, func(x, y Membership) int {
		return bytes.Compare([]byte(x.TeamID+x.MemberID), []byte(y.TeamID+y.MemberID))
	})
	b.rows.Nestings = b.nestings
	for _, k := range b.sortedReferences() {
		switch s := b.references[k]; {
		case s.now == nil && s.was != nil:
			b.rows.DropRefs = append(b.rows.DropRefs, *s.was)
			b.tellReference(s)
		case s.now != nil && s.was == nil:
			b.rows.References = append(b.rows.References, *s.now)
			b.tellReference(s)
		}
	}
	for _, s := range b.links {
		switch {
		case s.now == nil && s.was != nil:
			b.rows.DropLinks = append(b.rows.DropLinks, *s.was)
		case s.now != nil && (s.was == nil || !sameLink(s.was, s.now)):
			b.rows.Links = append(b.rows.Links, *s.now)
		}
	}
	b.rows.Events = append(b.rows.Events, b.events...)
}

// touch remembers that a push spoke of an object, though it changed nothing.
func (b *batch) touch(typ ObjectType, id string) {
	if b.cause.By == ByPush {
		b.rows.Touched = append(b.rows.Touched, Touch{Type: typ, ID: id, PushedSeq: b.seq, PushedAt: b.tx.Now()})
	}
}

func refuse(e *Error) (Outcome, error) { return Outcome{Result: Refused, Err: e}, nil }

func stale(what string) (Outcome, error) {
	return Outcome{Result: Stale, Err: Errorf(Precondition, "%s has changed since", what)}, nil
}
