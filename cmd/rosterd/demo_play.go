package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/daemon"
	"github.com/rosterd/rosterd/internal/idpsim"
)

const demoOrg = daemon.DefaultOrganisation

// play is the story: push everything in, make a baseline, cause faults, show the plans, repair, and look again.
func (s *show) play(ctx context.Context) (demoSummary, error) {
	status, err := s.client.Status(ctx)
	if err != nil {
		return demoSummary{}, err
	}
	sum := demoSummary{
		Database: status.Database, Connections: s.names, Faults: []demoFault{}, Problems: []string{}, Found: map[string]int{}, Repaired: map[string]int{},
	}
	if err := s.provision(ctx); err != nil {
		return sum, err
	}
	s.say("2. Baseline run of each connection:")
	for _, name := range s.names {
		base, err := s.resync(ctx, name)
		if err != nil {
			return sum, err
		}
		s.say("     %-8s %s, everything read: %t, %d differences.", name, base.State, base.Complete, driftOf(base))
		if base.State != "done" {
			sum.Problems = append(sum.Problems, "the baseline run of "+name+" ended "+base.State)
		}
	}
	if err := s.breakThings(ctx, &sum); err != nil {
		return sum, err
	}
	if err := s.repair(ctx, &sum); err != nil {
		return sum, err
	}
	if err := s.lookAgain(ctx, &sum); err != nil {
		return sum, err
	}
	if err := s.compare(ctx, &sum); err != nil {
		return sum, err
	}
	sum.Seconds = time.Since(s.began).Round(time.Millisecond).Seconds()
	sum.Passed = len(sum.Problems) == 0 && sum.SecondPlan == 0 && sum.Silent
	return sum, nil
}

// provision makes a token for each connection and has each tenant's provisioning service push everybody in.
func (s *show) provision(ctx context.Context) error {
	s.say("1. The simulated tenants push:")
	for i, name := range s.names {
		token, err := s.client.CreateToken(ctx, demoOrg, client.NewToken{Name: name, Connection: name, Expires: "90d"})
		if err != nil {
			return err
		}
		first, err := s.idps[i].provision(ctx, s.daemon.LocalURL()+"/service/v1/scim/v2/", token.Token)
		if err != nil {
			return fmt.Errorf("the provisioning service of %s: %w", name, err)
		}
		if first.Failed > 0 {
			return fmt.Errorf("the first provisioning cycle of %s failed for %d objects: %+v", name, first.Failed, first.Of(idpsim.Failed))
		}
		s.say("     %-8s %d objects in %d SCIM requests.", name, first.Created, first.Requests)
	}
	return nil
}

func (s *show) breakThings(ctx context.Context, sum *demoSummary) error {
	s.say("3. Pushes go wrong:")
	for i, name := range s.names {
		faults, err := s.idps[i].breakThings(ctx)
		if err != nil {
			return fmt.Errorf("break the pushes of %s: %w", name, err)
		}
		for _, f := range faults {
			f.Connection = name
			s.say("     %-6s %-47s %s", name, f.Fault, f.Subject)
			sum.Faults = append(sum.Faults, f)
		}
	}
	return nil
}

// repair shows each connection's plan and has a run carry it out.
func (s *show) repair(ctx context.Context, sum *demoSummary) error {
	for _, name := range s.names {
		planned, err := s.diff(ctx, name)
		if err != nil {
			return err
		}
		s.say("\n4. What a run of %s would do about it:\n", name)
		s.say("%s", strings.TrimRight(planOf(s.p, planned), "\n"))
		for kind, n := range planned.Totals {
			sum.Found[kind] += n
		}
		repaired, err := s.resync(ctx, name)
		if err != nil {
			return err
		}
		s.say("\n5. Repair of %s: %s, %d actions applied.", name, repaired.State, applied(repaired, sum.Repaired))
		sum.judge(name, planned, repaired)
	}
	return nil
}

// lookAgain makes second plans, which should be empty, and runs each connection once more, which should write nothing.
func (s *show) lookAgain(ctx context.Context, sum *demoSummary) error {
	s.say("")
	for _, name := range s.names {
		again, err := s.diff(ctx, name)
		if err != nil {
			return err
		}
		sum.SecondPlan += driftOf(again)
		s.say("6. The second plan of %s has %d actions.", name, driftOf(again))
	}
	before, err := s.daemon.Digest(ctx, demoOrg)
	if err != nil {
		return err
	}
	for _, name := range s.names {
		if _, err := s.resync(ctx, name); err != nil {
			return err
		}
	}
	after, err := s.daemon.Digest(ctx, demoOrg)
	if err != nil {
		return err
	}
	if sum.Silent = before == after; !sum.Silent {
		sum.Problems = append(sum.Problems, "a run with nothing to do wrote members, teams, memberships, links or events")
	}
	return nil
}

func planOf(p *program, r client.Run) string { return plan{coloured: p.coloured() && !p.json}.text(r) }

func (s *show) resync(ctx context.Context, connection string) (client.Run, error) {
	asked, err := s.client.Resync(ctx, demoOrg, client.AskResync{Connection: connection})
	if err != nil {
		return client.Run{}, err
	}
	return s.wait(ctx, asked.Runs[0])
}

func (s *show) diff(ctx context.Context, connection string) (client.Run, error) {
	asked, err := s.client.Diff(ctx, demoOrg, client.AskDiff{Connection: connection})
	if err != nil {
		return client.Run{}, err
	}
	return s.wait(ctx, asked)
}

func (s *show) wait(ctx context.Context, r client.Run) (client.Run, error) {
	runs, err := s.p.follow(ctx, s.client, []client.Run{r}, false)
	if err != nil {
		return r, err
	}
	if runs[0].State == "failed" {
		return runs[0], fmt.Errorf("run %s failed: %s", runs[0].Run, runs[0].Error)
	}
	return runs[0], nil
}

// applied counts what a run applied, by kind.
func applied(r client.Run, into map[string]int) int {
	n := 0
	for _, a := range r.Actions {
		if a.State == "applied" {
			into[a.Kind]++
			n++
		}
	}
	return n
}

// judge holds a connection's plan against its faults: each found under its right name, nothing else found, all repaired.
func (sum *demoSummary) judge(connection string, planned, repaired client.Run) {
	find := func(r client.Run, f *demoFault) *client.Action {
		for i := range r.Actions {
			if r.Actions[i].Kind == f.Kind && r.Actions[i].Subject.Name == f.Subject && r.Actions[i].Action != "none" {
				return &r.Actions[i]
			}
		}
		return nil
	}
	made := 0
	for i := range sum.Faults {
		f := &sum.Faults[i]
		if f.Connection != connection {
			continue
		}
		made++
		f.Found = find(planned, f) != nil
		if a := find(repaired, f); a != nil {
			f.Repaired = a.State == "applied"
		}
		if !f.Found || !f.Repaired {
			sum.Problems = append(sum.Problems, fmt.Sprintf("%s: %s: %s of %s found %t, repaired %t", connection, f.Fault, f.Kind, f.Subject, f.Found, f.Repaired))
		}
	}
	if n := driftOf(planned); n != made {
		sum.Problems = append(sum.Problems, fmt.Sprintf("%s: %d faults were made, the plan has %d actions", connection, made, n))
	}
	if repaired.State != "done" {
		sum.Problems = append(sum.Problems, "the repairing run of "+connection+" ended "+repaired.State)
	}
}

// compare holds the members and teams here against the tenants' own account of who should be there. Team names may repeat
// between the two.
func (s *show) compare(ctx context.Context, sum *demoSummary) error {
	live, teams := map[string]bool{}, map[string]int{}
	for m, err := range s.client.Members(ctx, demoOrg, client.ListOptions{}) {
		if err != nil {
			return err
		}
		if m.Status == "pending" || m.Status == "active" {
			live[m.UserName] = true
		}
	}
	for t, err := range s.client.Teams(ctx, demoOrg, client.ListOptions{}) {
		if err != nil {
			return err
		}
		sum.Teams++
		teams[teamKey(t.DisplayName, t.Members)]++
	}
	sum.Members = len(live)
	for _, idp := range s.idps {
		people, groups := idp.desired()
		for _, name := range people {
			if !live[name] {
				sum.Problems = append(sum.Problems, name+" is in scope there and not a member here")
			}
			delete(live, name)
		}
		for name, members := range groups {
			if teams[teamKey(name, members)]--; teams[teamKey(name, members)] < 0 {
				sum.Problems = append(sum.Problems, fmt.Sprintf("no team %s here with the %d members that it has there", name, len(members)))
			}
		}
	}
	for name := range live {
		sum.Problems = append(sum.Problems, name+" is a member here and not in scope there")
	}
	for key, n := range teams {
		if n > 0 {
			sum.Problems = append(sum.Problems, "team "+strings.SplitN(key, "\n", 2)[0]+" is here and not there, or has other members")
		}
	}
	return nil
}

// teamKey is a team with its members.
func teamKey(name string, members []string) string {
	return name + "\n" + strings.Join(slices.Sorted(slices.Values(members)), " ")
}
