package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rosterd/rosterd/internal/config"
	"github.com/rosterd/rosterd/internal/idpsim"
)

// entraDemo is the simulated Entra tenant with its provisioning service.
type entraDemo struct {
	tenant *idpsim.Tenant
	pusher *idpsim.Pusher
}

func newEntraDemo(o demoOptions) *entraDemo {
	return &entraDemo{tenant: idpsim.New(idpsim.Config{Seed: o.seed, Members: o.members, Groups: o.groups, AccessToken: "demo"})}
}

func (s *entraDemo) listen() (*idpsim.Server, error) { return s.tenant.Listen("127.0.0.1:0") }

func (s *entraDemo) connection(url string) config.Connection {
	return config.Connection{Name: "entra", Kind: config.KindEntra, Entra: &config.Entra{
		TenantID: s.tenant.TenantID(), ServicePrincipalID: s.tenant.ServicePrincipalID(), GraphURL: url, AccessToken: "demo",
	}}
}

func (s *entraDemo) provision(ctx context.Context, baseURL, token string) (idpsim.Summary, error) {
	var err error
	if s.pusher, err = idpsim.NewPusher(s.tenant, idpsim.PushConfig{BaseURL: baseURL, Token: token}); err != nil {
		return idpsim.Summary{}, err
	}
	if err := s.pusher.TestConnection(ctx); err != nil {
		return idpsim.Summary{}, err
	}
	return s.pusher.InitialCycle(ctx)
}

func (s *entraDemo) desired() (people []string, teams map[string][]string) {
	names, teams := map[string]string{}, map[string][]string{}
	for _, p := range s.tenant.Desired() {
		names[p.ObjectID] = p.UserPrincipalName
		people = append(people, p.UserPrincipalName)
	}
	for _, t := range s.tenant.DesiredTeams() {
		teams[t.DisplayName] = named(names, t.Members)
	}
	return people, teams
}

// named are the userNames of some people.
func named(names map[string]string, ids []string) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = names[id]
	}
	return out
}

// cast are the people and groups of the tenant to whom the faults happen, each to one only.
type cast struct {
	people []idpsim.Person
	teams  []idpsim.Team
	direct []idpsim.Person // in scope by their own assignment alone
}

func (s *entraDemo) cast() (*cast, error) {
	c := &cast{teams: s.tenant.DesiredTeams()}
	for _, p := range s.tenant.Desired() {
		if scope := s.tenant.Scope(p.ObjectID); len(scope) == 1 && scope[0] == p.ObjectID {
			c.direct = append(c.direct, p)
			continue
		}
		c.people = append(c.people, p)
	}
	if len(c.direct) < 1 || len(c.people) < 6 || len(c.teams) < 4 {
		return nil, fmt.Errorf("the tenant is too small for the demo: %d people in groups, %d assigned directly, %d groups", len(c.people), len(c.direct), len(c.teams))
	}
	return c, nil
}

// next takes the next person.
func (c *cast) next() idpsim.Person {
	p := c.people[0]
	c.people = c.people[1:]
	return p
}

// outsider takes somebody who is not in the team.
func (c *cast) outsider(t idpsim.Team) idpsim.Person {
	i := slices.IndexFunc(c.people, func(p idpsim.Person) bool { return !slices.Contains(t.Members, p.ObjectID) })
	p := c.people[max(i, 0)]
	c.people = slices.Delete(c.people, max(i, 0), max(i, 0)+1)
	return p
}

// insider takes somebody who is in the team, and in another one, so that leaving it leaves them in scope.
func (s *entraDemo) insider(c *cast, t idpsim.Team) idpsim.Person {
	i := slices.IndexFunc(c.people, func(p idpsim.Person) bool {
		return slices.Contains(t.Members, p.ObjectID) && len(s.tenant.Scope(p.ObjectID)) > 1
	})
	p := c.people[max(i, 0)]
	c.people = slices.Delete(c.people, max(i, 0), max(i, 0)+1)
	return p
}

// breakThings makes pushes go missing, each in the way that it is known to happen, and returns what should be found.
func (s *entraDemo) breakThings(ctx context.Context) ([]demoFault, error) {
	c, err := s.cast()
	if err != nil {
		return nil, err
	}
	var out []demoFault
	found := func(fault, kind, subject string) {
		out = append(out, demoFault{Fault: fault, Kind: kind, Subject: subject})
	}
	cycle := func() error {
		_, err := s.pusher.Cycle(ctx)
		return err
	}

	// A create, a deprovisioning, a membership and a rename that were sent and never arrived.
	joiner, err := s.tenant.AddUser(idpsim.User{UserPrincipalName: "new.joiner@" + domain(c.people[0].UserPrincipalName), DisplayName: "New Joiner", GivenName: "New", Surname: "Joiner"})
	if err != nil {
		return nil, err
	}
	leaver, team, renamed := c.next(), c.teams[0], c.teams[1]
	moved := c.outsider(team)
	s.pusher.Miss(joiner.ObjectID, leaver.ObjectID, team.ObjectID, renamed.ObjectID)
	err = errors.Join(s.tenant.Assign(joiner.ObjectID), s.tenant.DisableUser(leaver.ObjectID),
		s.tenant.AddToGroup(team.ObjectID, moved.ObjectID), s.tenant.RenameGroup(renamed.ObjectID, renamed.DisplayName+" (renamed)"), cycle())
	if err != nil {
		return nil, err
	}
	found("a create that never arrived", "missing_member", joiner.UserPrincipalName)
	found("a deprovisioning that never arrived", "orphaned_member", leaver.UserPrincipalName)
	found("a team membership lost on the way", "missing_membership", moved.UserPrincipalName+" in "+team.DisplayName)
	found("a group renamed, and nobody told", "stale_team", renamed.DisplayName)

	// Somebody is unassigned and comes back; the provisioning service skips them as RedundantSoftDelete.
	back := c.direct[0]
	if err := errors.Join(s.tenant.Unassign(back.ObjectID), cycle()); err != nil {
		return nil, err
	}
	s.pusher.RedundantSoftDelete(back.ObjectID)
	if err := errors.Join(s.tenant.Assign(back.ObjectID), cycle()); err != nil {
		return nil, err
	}
	found("re-assigned, and skipped as RedundantSoftDelete", "redundant_soft_delete", back.UserPrincipalName)
	return out, s.quarantine(c, found, cycle)
}

// quarantine puts the provisioning job where it sends nothing, while the directory goes on changing.
func (s *entraDemo) quarantine(c *cast, found func(fault, kind, subject string), cycle func() error) error {
	s.pusher.Quarantine(idpsim.QuarantineException)
	late, err := s.tenant.AddUser(idpsim.User{UserPrincipalName: "late.joiner@" + domain(c.people[0].UserPrincipalName), DisplayName: "Late Joiner"})
	if err != nil {
		return err
	}
	team := c.teams[2]
	gone, married := c.next(), c.next()
	left := s.insider(c, team)
	err = errors.Join(s.tenant.Assign(late.ObjectID), s.tenant.DisableUser(gone.ObjectID),
		s.tenant.UpdateUser(married.ObjectID, func(u *idpsim.User) { u.DisplayName = u.GivenName + " Newname"; u.Surname = "Newname" }),
		s.tenant.RemoveFromGroup(team.ObjectID, left.ObjectID), cycle())
	if err != nil {
		return err
	}
	found("in quarantine: somebody new", "missing_member", late.UserPrincipalName)
	found("in quarantine: somebody disabled", "orphaned_member", gone.UserPrincipalName)
	found("in quarantine: a new name", "stale_member", married.UserPrincipalName)
	found("in quarantine: left a team", "extra_membership", left.UserPrincipalName+" in "+team.DisplayName)
	return nil
}

// domain is what follows the @ of a userName.
func domain(userName string) string {
	_, after, found := strings.Cut(userName, "@")
	if !found {
		return "example.com"
	}
	return after
}
