package syncer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/internal/roster"
)

// oneCalls is how many calls to the IdP the resync of one person makes at most.
const oneCalls = 50

var errLate = errors.New("the identity provider did not answer in time")

// one is the resync of one person by one connection: one read, one judgement by the planner that runs use, one commit.
// It takes no lease, so that it neither waits for a run of the connection nor disturbs one; the versions that the commit
// compares keep the two apart.
type one struct {
	*worker
	ask    roster.AskOne
	reader connectors.OneReader
	member string // our id of whom the key names; empty: nobody stored has it
	linked string // the object that they are linked to; empty: none
}

// place says where a person was looked for, and what was found.
type place struct {
	stamp   int64 // taken before anything was asked, as is at
	at      time.Time
	object  string            // the IdP's id of the person; empty: the IdP has nobody by the key
	several []connectors.User // more than one has it
	err     error             // the IdP could not be asked
}

func (p *place) found() bool { return p.object != "" || len(p.several) > 0 }

// One resyncs one person by each connection that knows them or, where none is linked to them, finds them. The runs that it
// returns are finished. What the IdP refuses makes a run that failed; an error says that nobody, or more than one, is
// meant by the key, or that something went wrong inside.
func (s *Syncer) One(ctx context.Context, ask roster.AskOne) ([]roster.Run, error) {
	ctx, done := context.WithTimeoutCause(connectors.OnceAsked(ctx), s.cfg.One, errLate)
	defer done()
	ask.Key = strings.TrimSpace(ask.Key)
	if uuid.Validate(ask.Key) == nil { // ids of ours and of Entra, however they were typed
		ask.Key = strings.ToLower(ask.Key)
	}
	member, err := s.whom(ctx, &ask)
	if err != nil {
		return nil, err
	}
	ones, err := s.ones(ctx, ask, member)
	if err != nil {
		return nil, err
	}
	ones, places, err := locateAll(ctx, ones, member)
	if err != nil {
		return nil, err
	}
	runs := make([]roster.Run, len(ones))
	for i, o := range ones {
		if runs[i], err = o.resync(ctx, places[i]); err != nil {
			return nil, err
		}
	}
	return runs, nil
}

// whom finds the one stored member whom a key names; nil: nobody.
func (s *Syncer) whom(ctx context.Context, ask *roster.AskOne) (*roster.Member, error) {
	if ask.Key == "" {
		return nil, roster.Errorf(roster.Invalid, "name a person by id, userName, email, externalId or the identity provider's id")
	}
	found, err := s.cfg.Store.FindPeople(ctx, ask.Org, ask.Key)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(found))
	for i := range found {
		if found[i].ID == ask.Key {
			return &found[i], nil
		}
		names[i] = fmt.Sprintf("%s (%s, %s)", found[i].UserName(), found[i].Status, found[i].ID)
	}
	switch len(found) {
	case 0:
		return nil, nil //nolint:nilnil // said in the comment
	case 1:
		return &found[0], nil
	}
	return nil, roster.Errorf(roster.Conflict, "several members match %q: %s; give the id of one", ask.Key, strings.Join(names, ", "))
}

// ones are the connections that are to be asked: those linked to the member or, where none is, all that can be.
func (s *Syncer) ones(ctx context.Context, ask roster.AskOne, member *roster.Member) ([]*one, error) {
	linked := map[string]string{}
	if member != nil {
		links, err := s.cfg.Store.LinksTo(ctx, ask.Org, roster.TypeMember, member.ID)
		if err != nil {
			return nil, err
		}
		for _, l := range links {
			linked[l.Connection] = l.ObjectID
		}
	}
	var all, known []*one
	var refused error
	for _, id := range ask.Connections {
		o, err := s.newOne(ctx, ask, id)
		if roster.CodeOf(err) == roster.Internal {
			return nil, err
		}
		if err != nil {
			refused = err
			continue
		}
		if member != nil {
			o.member, o.linked = member.ID, linked[id]
		}
		if all = append(all, o); o.linked != "" {
			known = append(known, o)
		}
	}
	if len(known) > 0 {
		return known, nil
	}
	if len(all) == 0 && refused == nil {
		refused = roster.Errorf(roster.Invalid, "no connection was named")
	}
	if len(all) == 0 {
		return nil, refused
	}
	return all, nil
}

func (s *Syncer) newOne(ctx context.Context, ask roster.AskOne, connection string) (*one, error) {
	conn, err := s.cfg.Store.Connection(ctx, ask.Org, connection)
	if err != nil {
		return nil, err
	}
	src, ok := s.cfg.Sources[conn.ID]
	switch {
	case conn.Kind == roster.KindSCIM:
		return nil, roster.Errorf(roster.Invalid, "connection %s is push only: there is nothing to pull from", conn.Name)
	case conn.State == roster.ConnectionDetached:
		return nil, roster.Errorf(roster.Conflict, "connection %s is detached: %s", conn.Name, conn.DetachedReason)
	case src.DryRun:
		ask.Dry = true
	case !ok:
		return nil, roster.Errorf(roster.Conflict, "connection %s has no entry in the configuration that this daemon was started with", conn.Name)
	}
	reader, ok := src.Reader.(connectors.OneReader)
	if !ok {
		return nil, roster.Errorf(roster.Invalid, "connection %s can't read one person", conn.Name)
	}
	now, err := s.cfg.Store.Now(ctx)
	if err != nil {
		return nil, err
	}
	if paused := conn.RefusesRuns(now); paused != nil && !ask.Dry {
		return nil, paused
	}
	run := &roster.Run{
		ID: roster.NewID(), Org: ask.Org, Connection: conn.ID, ConnectionName: conn.Name, Mode: roster.ModeOne,
		RequestedBy: ask.By, CreatedAt: now, StartedAt: now, Said: &roster.Said{Key: ask.Key},
	}
	w := &worker{
		Syncer: s, run: run, conn: conn, source: src, budget: connectors.NewBudget(oneCalls),
		log: s.cfg.Log.With("run", run.ID, "connection", conn.Name),
	}
	if src.DryRun {
		run.Note = dryNote
	}
	w.names, err = w.connectionNames(ctx)
	return &one{worker: w, ask: ask, reader: reader}, err
}

// locateAll looks for the person, and keeps of the connections those that find them or could not be asked. Where none does,
// a stored member is judged as one whom the IdP doesn't have, by the owner or, where that isn't asked, by all.
func locateAll(ctx context.Context, ones []*one, member *roster.Member) ([]*one, []place, error) {
	places := make([]place, len(ones))
	var keep, owners []int
	for i, o := range ones {
		var err error
		if places[i], err = o.locate(ctx); err != nil {
			return nil, nil, err
		}
		if places[i].found() || places[i].err != nil {
			keep = append(keep, i)
		}
		if member != nil && (member.Connection == o.conn.ID || len(ones) == 1) {
			owners = append(owners, i)
		}
	}
	switch {
	case len(keep) == 0 && member == nil:
		names := make([]string, len(ones))
		for i, o := range ones {
			names[i] = o.conn.Name
		}
		return nil, nil, roster.Errorf(roster.NotFound, "nobody is known by %q: nobody stored here has it as id, userName, email or externalId, "+
			"and nobody there (connection %s) as object id, userName or email", ones[0].ask.Key, strings.Join(names, ", "))
	case len(keep) == 0 && len(owners) == 0:
		return ones, places, nil
	case len(keep) == 0:
		keep = owners
	}
	kept, at := make([]*one, len(keep)), make([]place, len(keep))
	for j, i := range keep {
		kept[j], at[j] = ones[i], places[i]
		if at[j].several != nil && !kept[j].missing(member) {
			return nil, nil, roster.Errorf(roster.Conflict, "several people of connection %s match %q: %s; give the object id of one",
				kept[j].conn.Name, kept[j].ask.Key, kept[j].several(at[j]))
		}
	}
	return kept, at, nil
}

// missing reports whether a stored member is one whom a run would look up, as no link of the connection points to them.
func (o *one) missing(m *roster.Member) bool {
	return m != nil && o.linked == "" && m.Source == roster.SourceSCIM && m.Status.Live() &&
		(m.Connection == "" || m.Connection == o.conn.ID)
}

// several names the people whom a look-up found.
func (o *one) several(p place) string {
	names := make([]string, len(p.several))
	for i := range p.several {
		wanted := o.source.Mapping.ToMember(&p.several[i], 0)
		names[i] = fmt.Sprintf("%s (%s)", wanted.UserName(), p.several[i].ObjectID)
	}
	return strings.Join(names, ", ")
}

// locate finds the IdP's id of the person: the one that is linked, or else by a look-up.
func (o *one) locate(ctx context.Context) (place, error) {
	var p place
	var err error
	if p.stamp, p.at, err = o.stamp(ctx); err != nil {
		return p, err
	}
	var member *roster.Member
	if o.member != "" {
		if member, err = o.cfg.Store.Member(ctx, o.ask.Org, o.member); err != nil {
			return p, err
		}
		if o.linked, err = o.cfg.Store.LinkedObject(ctx, o.ask.Org, o.conn.ID, roster.TypeMember, o.member); err != nil {
			return p, err
		}
	}
	if o.linked != "" {
		p.object = o.linked
		return p, nil
	}
	var users []connectors.User
	if asking := connectors.WithBudget(ctx, o.budget); member != nil {
		users, err = o.findUsers(asking, o.reader, member)
	} else {
		users, err = o.findKey(asking)
	}
	switch {
	case err != nil && connectors.FaultOf(err) == "" && !errors.Is(context.Cause(ctx), errLate):
		return p, err
	case err != nil:
		p.err = err
	case len(users) == 1:
		p.object = users[0].ObjectID
	case len(users) > 1:
		p.several = users
	}
	return p, nil
}

// findKey looks up in the IdP whom nobody here is known by: by object id, where the key may be one, then by userName and
// email.
func (o *one) findKey(ctx context.Context) ([]connectors.User, error) {
	key := o.ask.Key
	email := ""
	if strings.Contains(key, "@") {
		email = key
	} else {
		p, err := o.reader.Person(ctx, key)
		// Broken is also what a key is that can't be an object id.
		if f := connectors.FaultOf(err); err != nil && f != connectors.NotFound && f != connectors.Broken {
			return nil, err
		}
		if err == nil && p.User != nil && p.User.ObjectID == key {
			return []connectors.User{*p.User}, nil
		}
	}
	users, err := o.reader.FindUsers(ctx, key, email)
	if err != nil {
		return nil, err
	}
	wanted := roster.Attributes{}
	wanted.Set(roster.AttrUserName, key)
	if email != "" {
		wanted.Set(roster.AttrWorkEmail, email)
	}
	return o.bestOf(users, &roster.Member{Attributes: wanted}), nil
}

// resync reads, judges and commits. What has changed here in between, by a push or another run, makes it begin anew, once.
func (o *one) resync(ctx context.Context, at place) (_ roster.Run, err error) {
	ctx, end := o.metered(ctx, false)
	defer func() { end(err) }()
	for first := true; ; first = false {
		p, err := o.plan(connectors.WithBudget(ctx, o.budget), at)
		if err != nil {
			return o.fail(ctx, err)
		}
		if !first || !p.moved {
			run, err := o.commit(ctx, p, first)
			if known := new(roster.Error); err == nil || !first || !errors.As(err, &known) {
				return run, err
			}
		}
		if at, err = o.locate(ctx); err != nil {
			return o.fail(ctx, err)
		}
	}
}

// fail writes the row of a run that could not read the IdP. Whoever asked and went away gets none.
func (o *one) fail(ctx context.Context, err error) (roster.Run, error) {
	late := errors.Is(context.Cause(ctx), errLate)
	if !late && (ctx.Err() != nil || connectors.FaultOf(err) == "") {
		return roster.Run{}, err
	}
	if late {
		err = roster.Errorf(roster.Unavailable, "%s", errLate)
	}
	run := *o.run
	run.State, run.Error = roster.RunFailed, o.words(err)
	said := *o.run.Said
	said.MemberID, said.ObjectID = o.member, o.linked
	said.There = "it could not be read"
	said.Done = "nothing"
	run.Said = &said
	ending, done := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer done()
	cause := o.cause()
	cause.Run = &roster.RunCause{ID: run.ID, One: &roster.OneRun{
		Connection: o.conn.ID,
		Finish: func(_ []roster.Outcome, now time.Time) (roster.Run, []roster.RunAction) {
			run.FinishedAt = now
			return run, nil
		},
	}}
	if _, err = o.cfg.Roster.Commit(ending, o.ask.Org, cause, nil); err == nil {
		o.cfg.Meter.Ended(&run, nil)
	}
	return run, err
}

// namesakes fills, for members whom only an email brings up, who else there has their userName and is in scope: those are
// not to be linked to this person. A run knows it from having read everybody.
func (o *one) namesakes(ctx context.Context, c *roster.MemberCandidate) error {
	for i := range c.Matches {
		m := &c.Matches[i]
		if !m.ByEmail || m.ByID || m.ByUserName || m.ByExternalID || m.LinkedObject != "" {
			continue
		}
		users, err := o.reader.FindUsers(ctx, m.Member.UserName(), "")
		if err != nil {
			return err
		}
		users = slices.DeleteFunc(users, func(u connectors.User) bool {
			wanted := o.source.Mapping.ToMember(&u, 0)
			return u.ObjectID == c.ObjectID || roster.Fold(wanted.UserName()) != roster.Fold(m.Member.UserName())
		})
		for j := range users {
			p, err := o.reader.Person(ctx, users[j].ObjectID)
			if err != nil {
				return err
			}
			if p.User != nil && p.InScope {
				m.Namesake = users[j].ObjectID
			}
		}
	}
	return nil
}
