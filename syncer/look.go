package syncer

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
)

// looksLeft reports whether another second look may be made.
func (w *worker) looksLeft() bool { return w.looks < w.cfg.Looks }

// look counts a second look and returns what makes it, or nil where none can be made.
func (w *worker) look() connectors.OneReader {
	one, ok := w.source.Reader.(connectors.OneReader)
	if !ok || !w.looksLeft() {
		return nil
	}
	w.looks++
	return one
}

// missed notes, once for each cause, that a look could not be made; what was to be looked at is listed and waits. It
// returns an error only where the run cannot go on.
func (w *worker) missed(ctx context.Context, what string, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	text := "the run's limit of second looks is used up: what is left waits for the next run"
	if err != nil {
		text = what + ": " + explain(err)
	}
	const most = 20
	if len(w.incomplete) < most {
		for _, t := range w.incomplete {
			if t == text {
				return nil
			}
		}
		w.incomplete = append(w.incomplete, text)
	}
	return nil
}

// stamp reads the commit sequence and the time before a look.
func (w *worker) stamp(ctx context.Context) (int64, time.Time, error) {
	n, err := w.cfg.Store.Stamp(ctx)
	if err != nil {
		return 0, time.Time{}, err
	}
	now, err := w.cfg.Store.Now(ctx)
	return n, now, err
}

// lookAtPerson reads one person, and whether they are in scope now. It returns nil where no look is left.
func (w *worker) lookAtPerson(ctx context.Context, objectID string) (*roster.Look, error) {
	one := w.look()
	if one == nil {
		return nil, nil //nolint:nilnil // no look is left: said in the comment
	}
	if l, err := w.lookTogether(ctx, objectID); err != nil || l != nil {
		return l, err
	}
	stamp, at, err := w.stamp(ctx)
	if err != nil {
		return nil, err
	}
	p, err := one.Person(ctx, objectID)
	if err != nil {
		return nil, err
	}
	return w.lookOf(p, stamp, at), nil
}

func (w *worker) lookOf(p connectors.Person, stamp int64, at time.Time) *roster.Look {
	l := &roster.Look{Stamp: stamp, At: at, Found: p.User != nil, InScope: p.InScope, Why: p.Why}
	if p.User != nil {
		wanted := w.source.Mapping.ToMember(p.User, connectors.Stamp(stamp))
		l.There = &wanted
	}
	return l
}

// lookUpMember looks a stored member without a link up by userName and work email, and fills what was found into the
// candidate. It reports false where no look-up could be made.
func (w *worker) lookUpMember(ctx context.Context, stage *store.Stage, c *roster.MemberCandidate) (bool, error) {
	one := w.look()
	if one == nil {
		return false, w.missed(ctx, "", nil)
	}
	stamp, at, err := w.stamp(ctx)
	if err != nil {
		return false, err
	}
	users, err := w.findUsers(ctx, one, c.Here)
	if err != nil {
		return false, w.missed(ctx, "look up a member without a link", err)
	}
	switch len(users) {
	case 0:
		c.Look = &roster.Look{Stamp: stamp, At: at}
		return true, nil
	case 1:
	default:
		c.Look = &roster.Look{Stamp: stamp, At: at, Found: true}
		return true, nil
	}
	look, err := w.lookAtPerson(ctx, users[0].ObjectID)
	if err != nil || look == nil {
		return false, w.missed(ctx, "look up a member without a link", err)
	}
	wanted := w.source.Mapping.ToMember(&users[0], connectors.Stamp(stamp))
	links, err := stage.LinksOf(ctx, roster.TypeMember, []string{users[0].ObjectID})
	if err != nil {
		return false, err
	}
	c.ObjectID, c.There, c.Look, c.Link = users[0].ObjectID, &wanted, look, links[users[0].ObjectID]
	return true, stage.FillMatches(ctx, c)
}

// findUsers looks a stored member up in the IdP by the match keys and the work email: by externalId where that may be an
// object id, then by userName, then by email.
func (w *worker) findUsers(ctx context.Context, one connectors.OneReader, m *roster.Member) ([]connectors.User, error) {
	if id := m.ExternalID(); w.mayBeObjectID(id) {
		p, err := one.Person(ctx, id)
		if err != nil {
			return nil, err
		}
		if p.User != nil {
			return []connectors.User{*p.User}, nil
		}
	}
	users, err := one.FindUsers(ctx, m.UserName(), m.Email())
	if err != nil {
		return nil, err
	}
	return w.bestOf(users, m), nil
}

// mayBeObjectID reports whether an externalId looks like the IdP's own id of a person: a GUID, or Okta's 00u and 17 more.
func (w *worker) mayBeObjectID(id string) bool {
	if w.source.Evidence == "okta" {
		return len(id) == 20 && strings.HasPrefix(id, "00u")
	}
	return uuid.Validate(id) == nil
}

// bestOf keeps those found who have the member's userName or, where nobody has, its work email: the first rule that finds
// anyone decides.
func (w *worker) bestOf(users []connectors.User, m *roster.Member) []connectors.User {
	var byName, byEmail []connectors.User
	for i := range users {
		wanted := w.source.Mapping.ToMember(&users[i], 0)
		if key := roster.Fold(m.UserName()); key != "" && roster.Fold(wanted.UserName()) == key {
			byName = append(byName, users[i])
		}
		if key := roster.Fold(m.Email()); key != "" && roster.Fold(wanted.Values[roster.AttrWorkEmail]) == key {
			byEmail = append(byEmail, users[i])
		}
	}
	if len(byName) > 0 {
		return byName
	}
	return byEmail
}

func (w *worker) lookAtTeam(ctx context.Context, objectID string) (*roster.TeamLook, error) {
	one := w.look()
	if one == nil {
		return nil, nil //nolint:nilnil // no look is left
	}
	stamp, at, err := w.stamp(ctx)
	if err != nil {
		return nil, err
	}
	t, err := one.Team(ctx, objectID)
	if err != nil {
		return nil, err
	}
	l := &roster.TeamLook{Stamp: stamp, At: at, Found: t.Group != nil, InScope: t.InScope}
	if t.Group != nil {
		wanted := w.source.Mapping.ToTeam(t.Group, connectors.Stamp(stamp))
		l.There = &wanted
	}
	return l, nil
}

// lookUpTeam looks a stored team without a link up by name and fills what was found into the candidate; its Look stays
// nil where no look-up could be made.
func (w *worker) lookUpTeam(ctx context.Context, stage *store.Stage, c *roster.TeamCandidate) error {
	one := w.look()
	if one == nil {
		return nil
	}
	stamp, at, err := w.stamp(ctx)
	if err != nil {
		return err
	}
	groups, err := one.FindGroups(ctx, c.Here.DisplayName)
	if err != nil {
		return err
	}
	groups = w.named(groups, c.Here.DisplayName)
	switch len(groups) {
	case 0:
		c.Look = &roster.TeamLook{Stamp: stamp, At: at}
		return nil
	case 1:
	default:
		c.Look = &roster.TeamLook{Stamp: stamp, At: at, Found: true}
		return nil
	}
	look, err := w.lookAtTeam(ctx, groups[0].ObjectID)
	if err != nil || look == nil {
		return err
	}
	wanted := w.source.Mapping.ToTeam(&groups[0], connectors.Stamp(stamp))
	links, err := stage.LinksOf(ctx, roster.TypeTeam, []string{groups[0].ObjectID})
	if err != nil {
		return err
	}
	c.ObjectID, c.There, c.Look, c.Link = groups[0].ObjectID, &wanted, look, links[groups[0].ObjectID]
	return stage.FillTeamMatches(ctx, c)
}

// named keeps those found that become a team of that name.
func (w *worker) named(groups []connectors.Group, name string) []connectors.Group {
	return slices.DeleteFunc(groups, func(g connectors.Group) bool {
		wanted := w.source.Mapping.ToTeam(&g, 0)
		return roster.Fold(wanted.DisplayName) != roster.Fold(name)
	})
}

// lookAtList reads one group's list again. It returns a nil mark where no look is left.
func (w *worker) lookAtList(ctx context.Context, group string) (map[string]bool, *roster.MembershipCandidate, error) {
	one := w.look()
	if one == nil {
		return nil, nil, nil
	}
	stamp, at, err := w.stamp(ctx)
	if err != nil {
		return nil, nil, err
	}
	ids, err := one.GroupMembers(ctx, group)
	if err != nil {
		return nil, nil, err
	}
	holds := make(map[string]bool, len(ids))
	for _, id := range ids {
		holds[strings.ToLower(id)] = true
	}
	return holds, &roster.MembershipCandidate{LookStamp: stamp, LookAt: at}, nil
}
