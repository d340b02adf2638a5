package main

import (
	"context"
	"errors"
	"slices"

	"github.com/rosterd/rosterd/internal/config"
	"github.com/rosterd/rosterd/internal/idpsim"
)

// oktaDemo is the simulated Okta org with its provisioning.
type oktaDemo struct {
	tenant *idpsim.OktaTenant
	pusher *idpsim.OktaPusher
	people []idpsim.OktaPerson // those to whom nothing has happened yet
	teams  []idpsim.Team       // those that were there from the beginning
}

func newOktaDemo(o demoOptions) *oktaDemo {
	return &oktaDemo{tenant: idpsim.NewOkta(idpsim.OktaConfig{
		Seed: o.seed, Members: max(o.members/2, demoMembers), Groups: max(o.groups/2, demoGroups),
	})}
}

func (s *oktaDemo) listen() (*idpsim.Server, error) { return s.tenant.Listen("127.0.0.1:0") }

func (s *oktaDemo) connection(url string) config.Connection {
	return config.Connection{Name: "okta", Kind: config.KindOkta, Okta: &config.Okta{
		OrgURL: url, AppID: s.tenant.AppID(), APIToken: config.Secret(s.tenant.APIToken()),
		Teams: config.TeamsPush, Suspended: config.SuspendedOff,
	}}
}

func (s *oktaDemo) provision(ctx context.Context, baseURL, token string) (idpsim.Summary, error) {
	var err error
	if s.pusher, err = idpsim.NewOktaPusher(s.tenant, idpsim.OktaPushConfig{BaseURL: baseURL, Token: token}); err != nil {
		return idpsim.Summary{}, err
	}
	if err := s.pusher.TestConnection(ctx); err != nil {
		return idpsim.Summary{}, err
	}
	return s.pusher.Cycle(ctx)
}

func (s *oktaDemo) desired() (people []string, teams map[string][]string) {
	names, teams := map[string]string{}, map[string][]string{}
	for _, p := range s.tenant.Desired() {
		names[p.ObjectID] = p.UserName
		people = append(people, p.UserName)
	}
	for _, t := range s.tenant.DesiredTeams() {
		teams[t.DisplayName] = named(names, t.Members)
	}
	return people, teams
}

// next takes the next person of whom something holds.
func (s *oktaDemo) next(is func(p idpsim.OktaPerson) bool) (idpsim.OktaPerson, error) {
	i := slices.IndexFunc(s.people, is)
	if i < 0 {
		return idpsim.OktaPerson{}, errors.New("the tenant is too small for the demo")
	}
	p := s.people[i]
	s.people = slices.Delete(s.people, i, i+1)
	return p, nil
}

// direct reports whether the person's own assignment is all that makes them an application user.
func (s *oktaDemo) direct(p idpsim.OktaPerson) bool {
	a, ok := s.tenant.AppUser(p.ObjectID)
	return ok && a.Direct && !slices.ContainsFunc(s.tenant.AssignedGroups(), func(g idpsim.GroupAssignment) bool {
		return slices.Contains(s.tenant.Members(g.GroupID), p.ObjectID)
	})
}

// plain reports whether the application's profile of somebody is what a new assignment would make it.
func (s *oktaDemo) plain(p idpsim.OktaPerson) bool {
	u, _ := s.tenant.User(p.ObjectID)
	return p.UserName == u.Profile.Login && p.Email == u.Profile.Email && p.DisplayName == u.Profile.DisplayName
}

func (s *oktaDemo) cycle(ctx context.Context) error {
	_, err := s.pusher.Cycle(ctx)
	return err
}

func (s *oktaDemo) breakThings(ctx context.Context) ([]demoFault, error) {
	s.people, s.teams = s.tenant.Desired(), s.tenant.DesiredTeams()
	var out []demoFault
	found := func(fault, kind, subject string) {
		out = append(out, demoFault{Fault: fault, Kind: kind, Subject: subject})
	}
	for _, act := range []func(context.Context, func(fault, kind, subject string)) error{s.unassign, s.push, s.lose} {
		if err := act(ctx, found); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// unassign takes direct assignments away: one unnoticed, of somebody who stays in a pushed group, and one that is given
// back unnoticed.
func (s *oktaDemo) unassign(ctx context.Context, found func(fault, kind, subject string)) error {
	gone, err := s.next(s.direct)
	if err != nil {
		return err
	}
	back, err := s.next(func(p idpsim.OktaPerson) bool { return s.direct(p) && s.plain(p) })
	if err != nil {
		return err
	}
	pushedOnly := slices.IndexFunc(s.teams, func(t idpsim.Team) bool {
		return !slices.ContainsFunc(s.tenant.AssignedGroups(), func(g idpsim.GroupAssignment) bool { return g.GroupID == t.ObjectID })
	})
	if err := errors.Join(s.tenant.AddToGroup(s.teams[pushedOnly].ObjectID, gone.ObjectID), s.cycle(ctx)); err != nil {
		return err
	}
	s.pusher.Miss(gone.ObjectID)
	if err := errors.Join(s.tenant.UnassignUser(gone.ObjectID, back.ObjectID), s.cycle(ctx)); err != nil {
		return err
	}
	found("a direct assignment removed, still in the group", "orphaned_member", gone.UserName)
	s.pusher.Miss(back.ObjectID)
	if err := errors.Join(s.tenant.AssignUser(back.ObjectID), s.cycle(ctx)); err != nil {
		return err
	}
	found("assigned again, and nobody told", "redundant_soft_delete", back.UserName)
	return nil
}

// push pushes a group that is not assigned: it arrives without its people. When it is assigned at last, neither account
// nor membership arrives.
func (s *oktaDemo) push(ctx context.Context, found func(fault, kind, subject string)) error {
	group, err := s.tenant.AddGroup(idpsim.OktaGroup{Name: "Night Shift"})
	if err != nil {
		return err
	}
	at := domain(s.people[0].UserName)
	worker, err := s.tenant.AddUser(idpsim.OktaUser{Status: idpsim.OktaActive, Profile: idpsim.OktaProfile{
		Login: "night.worker@" + at, Email: "night.worker@" + at, FirstName: "Night", LastName: "Worker", DisplayName: "Night Worker",
	}})
	if err != nil {
		return err
	}
	if err := errors.Join(s.tenant.AddToGroup(group.ID, worker.ID), s.tenant.PushGroup(group.ID), s.cycle(ctx)); err != nil {
		return err
	}
	s.pusher.Miss(worker.ID, group.ID)
	if err := errors.Join(s.tenant.AssignGroup(group.ID), s.cycle(ctx)); err != nil {
		return err
	}
	app, ok := s.tenant.AppUser(worker.ID)
	if !ok {
		return errors.New("assigning a group made no application user")
	}
	found("a group pushed but not assigned: its account", "missing_member", app.UserName)
	found("a group pushed but not assigned: its member", "missing_membership", app.UserName+" in "+group.Name)
	return nil
}

// lose makes a rename, a profile of the application, a membership and a new group's push go missing.
func (s *oktaDemo) lose(ctx context.Context, found func(fault, kind, subject string)) error {
	renamed, left := s.teams[0], s.teams[1]
	married, err := s.next(func(p idpsim.OktaPerson) bool { return !slices.Contains(left.Members, p.ObjectID) })
	if err != nil {
		return err
	}
	leaver, err := s.next(func(p idpsim.OktaPerson) bool { return slices.Contains(left.Members, p.ObjectID) })
	if err != nil {
		return err
	}
	fresh, err := s.tenant.AddGroup(idpsim.OktaGroup{Name: "Book Club"})
	if err != nil {
		return err
	}
	s.pusher.Miss(renamed.ObjectID, married.ObjectID, left.ObjectID, fresh.ID)
	err = errors.Join(s.tenant.RenameGroup(renamed.ObjectID, renamed.DisplayName+" (renamed)"),
		s.tenant.UpdateAppProfile(married.ObjectID, func(a *idpsim.AppProfile) { a.DisplayName = "Married " + a.FamilyName }),
		s.tenant.RemoveFromGroup(left.ObjectID, leaver.ObjectID), s.tenant.PushGroup(fresh.ID), s.cycle(ctx))
	if err != nil {
		return err
	}
	found("a group renamed, and nobody told", "stale_team", renamed.DisplayName)
	found("another name in the application's profile", "stale_member", married.UserName)
	found("left a pushed group, and nobody told", "extra_membership", leaver.UserName+" in "+left.DisplayName)
	found("a group's first push that never arrived", "missing_team", fresh.Name)
	return nil
}
