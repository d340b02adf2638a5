package main

import (
	"context"
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/daemon"
	"github.com/rosterd/rosterd/internal/idpsim"
)

const demoOrg = daemon.DefaultOrganisation

// play is the story: push everything in, make a baseline, cause faults, show the plan, repair, and look again.
func (s *show) play(ctx context.Context) (demoSummary, error) {
	status, err := s.client.Status(ctx)
	if err != nil {
		return demoSummary{}, err
	}
	sum := demoSummary{Database: status.Database, Faults: []demoFault{}, Problems: []string{}, Found: map[string]int{}, Repaired: map[string]int{}}
	if err := s.provision(ctx); err != nil {
		return sum, err
	}
	base, err := s.resync(ctx)
	if err != nil {
		return sum, err
	}
	s.say("2. Baseline run: %s, everything read: %t, %d differences.", base.State, base.Complete, driftOf(base))
	if base.State != "done" {
		sum.Problems = append(sum.Problems, "the baseline run ended "+base.State)
	}
	if sum.Faults, err = s.breakThings(ctx); err != nil {
		return sum, err
	}
	s.say("3. Pushes went wrong:")
	for _, f := range sum.Faults {
		s.say("     %-52s %s", f.Fault, f.Subject)
	}
	plan, err := s.diff(ctx)
	if err != nil {
		return sum, err
	}
	s.say("\n4. What a run would do about it:\n")
	s.say("%s", strings.TrimRight(planOf(s.p, plan), "\n"))
	sum.Found = plan.Totals
	repaired, err := s.resync(ctx)
	if err != nil {
		return sum, err
	}
	s.say("\n5. Repair: %s, %d actions applied.", repaired.State, applied(repaired, sum.Repaired))
	again, err := s.diff(ctx)
	if err != nil {
		return sum, err
	}
	sum.SecondPlan = driftOf(again)
	s.say("6. The second plan has %d actions.", sum.SecondPlan)
	sum.judge(plan, repaired)
	if err := s.compare(ctx, &sum); err != nil {
		return sum, err
	}
	sum.Seconds = time.Since(s.began).Round(time.Millisecond).Seconds()
	sum.Passed = len(sum.Problems) == 0 && sum.SecondPlan == 0
	return sum, nil
}

func planOf(p *program, r client.Run) string { return plan{coloured: p.coloured() && !p.json}.text(r) }

// provision makes a token and has the tenant's provisioning service push everybody in.
func (s *show) provision(ctx context.Context) error {
	token, err := s.client.CreateToken(ctx, demoOrg, client.NewToken{Name: "Entra ID", Expires: "90d"})
	if err != nil {
		return err
	}
	s.pusher, err = idpsim.NewPusher(s.tenant, idpsim.PushConfig{BaseURL: s.daemon.LocalURL() + "/service/v1/scim/v2/", Token: token.Token})
	if err != nil {
		return fmt.Errorf("start the provisioning service: %w", err)
	}
	if err := s.pusher.TestConnection(ctx); err != nil {
		return fmt.Errorf("test connection: %w", err)
	}
	first, err := s.pusher.InitialCycle(ctx)
	if err != nil {
		return fmt.Errorf("the initial provisioning cycle: %w", err)
	}
	if first.Failed > 0 {
		return fmt.Errorf("the initial provisioning cycle failed for %d objects: %+v", first.Failed, first.Of(idpsim.Failed))
	}
	s.say("1. The simulated Entra tenant pushed %d objects in %d SCIM requests.", first.Created, first.Requests)
	return nil
}

func (s *show) resync(ctx context.Context) (client.Run, error) {
	asked, err := s.client.Resync(ctx, demoOrg, client.AskResync{Connection: "entra"})
	if err != nil {
		return client.Run{}, err
	}
	return s.wait(ctx, asked.Runs[0])
}

func (s *show) diff(ctx context.Context) (client.Run, error) {
	asked, err := s.client.Diff(ctx, demoOrg, client.AskDiff{Connection: "entra"})
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

// judge holds the plan against the faults: each found under its right name, nothing else found, all repaired.
func (sum *demoSummary) judge(plan, repaired client.Run) {
	find := func(r client.Run, f demoFault) *client.Action {
		for i := range r.Actions {
			if r.Actions[i].Kind == f.Kind && r.Actions[i].Subject.Name == f.Subject && r.Actions[i].Action != "none" {
				return &r.Actions[i]
			}
		}
		return nil
	}
	for i := range sum.Faults {
		f := &sum.Faults[i]
		f.Found = find(plan, *f) != nil
		if a := find(repaired, *f); a != nil {
			f.Repaired = a.State == "applied"
		}
		if !f.Found || !f.Repaired {
			sum.Problems = append(sum.Problems, fmt.Sprintf("%s: %s of %s found %t, repaired %t", f.Fault, f.Kind, f.Subject, f.Found, f.Repaired))
		}
	}
	if n := driftOf(plan); n != len(sum.Faults) {
		sum.Problems = append(sum.Problems, fmt.Sprintf("%d faults were made, the plan has %d actions", len(sum.Faults), n))
	}
	if repaired.State != "done" {
		sum.Problems = append(sum.Problems, "the repairing run ended "+repaired.State)
	}
}

// compare holds the members and teams here against the tenant's own account of who should be there.
func (s *show) compare(ctx context.Context, sum *demoSummary) error {
	live, teams := map[string]bool{}, map[string][]string{}
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
		sort.Strings(t.Members)
		teams[t.DisplayName] = t.Members
	}
	sum.Members, sum.Teams = len(live), len(teams)
	names := map[string]string{}
	for _, p := range s.tenant.Desired() {
		names[p.ObjectID] = p.UserPrincipalName
		if !live[p.UserPrincipalName] {
			sum.Problems = append(sum.Problems, p.UserPrincipalName+" is in scope there and not a member here")
		}
		delete(live, p.UserPrincipalName)
	}
	for name := range live {
		sum.Problems = append(sum.Problems, name+" is a member here and not in scope there")
	}
	for _, t := range s.tenant.DesiredTeams() {
		var want []string
		for _, id := range t.Members {
			want = append(want, names[id])
		}
		sort.Strings(want)
		if strings.Join(teams[t.DisplayName], " ") != strings.Join(want, " ") {
			sum.Problems = append(sum.Problems, fmt.Sprintf("team %s has %d members here, %d there", t.DisplayName, len(teams[t.DisplayName]), len(want)))
		}
		delete(teams, t.DisplayName)
	}
	for name := range teams {
		sum.Problems = append(sum.Problems, "team "+name+" is here and not there")
	}
	return nil
}
