package syncer_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/store/storetest"
)

// The number of schedules that a plain test run simulates on each database, and how many steps one has at most.
const (
	simSQLite   = 10
	simPostgres = 2
	simSteps    = 22
)

// TestSimulation lives through random schedules of what happens between an IdP and a store, over the real path: changes
// in a simulated tenant, pushes and their losses, damage done here, runs that meet faults, pushes and deaths half-way,
// approvals. After every step it checks what must always hold; at the end, that all comes to rest at what the IdP says.
//
// A schedule is made from its seed alone. ROSTERD_SIM_SCHEDULES sets how many there are on SQLite (a fifth of that on
// PostgreSQL), ROSTERD_SIM_SEED the first seed: to replay one that failed, set them to 1 and its seed. With ROSTERD_SIM_FOR
// it goes on for so long, from a seed of its own unless one is set, and ends at the first schedule that fails.
func TestSimulation(t *testing.T) {
	first, n, pg := uint64(1), simSQLite, simPostgres
	soak := os.Getenv("ROSTERD_SIM_FOR")
	if soak != "" {
		first = uint64(time.Now().Unix())
	}
	if s := os.Getenv("ROSTERD_SIM_SEED"); s != "" {
		v, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatalf("ROSTERD_SIM_SEED: %v", err)
		}
		first = v
	}
	if s := os.Getenv("ROSTERD_SIM_SCHEDULES"); s != "" {
		v, err := strconv.Atoi(s)
		if err != nil {
			t.Fatalf("ROSTERD_SIM_SCHEDULES: %v", err)
		}
		n, pg = v, (v+4)/5
	}
	met := &tally{seen: map[string]int{}}
	if soak != "" {
		goOn(t, soak, first, met)
	} else {
		schedules(t, "sqlite", first, n, met)
		schedules(t, "postgres", first, pg, met)
	}
	met.report(t, met.seen["a schedule"] >= 100)
}

// schedules lives through so many schedules on one database.
func schedules(t *testing.T, kind string, first uint64, n int, met *tally) {
	t.Helper()
	t.Run(kind, func(t *testing.T) {
		for i := range n {
			seed := first + uint64(i)
			t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
				t.Parallel()
				d := storetest.Database{Kind: kind}
				if kind == "postgres" {
					d.Dir, d.URL = t.TempDir(), storetest.Postgres(t)
				} else {
					d.Dir = inMemory(t)
				}
				simulate(t, d, seed, met)
			})
		}
	})
}

// goOn lives through schedules until the time is over or one fails, and says how far it is.
func goOn(t *testing.T, howLong string, first uint64, met *tally) {
	t.Helper()
	span, err := time.ParseDuration(howLong)
	if err != nil {
		t.Fatalf("ROSTERD_SIM_FOR: %v", err)
	}
	// A round is what is under way when the time is over; its seeds on PostgreSQL are some of those on SQLite.
	const round, ofThem = 20, 4
	fmt.Printf("simulating for %s from seed %d\n", span, first)
	seed, began, said := first, time.Now(), time.Now()
	for ; time.Since(began) < span && !t.Failed(); seed += round {
		schedules(t, "sqlite", seed, round, met)
		if !t.Failed() {
			schedules(t, "postgres", seed, ofThem, met)
		}
		if time.Since(said) >= time.Minute {
			said = time.Now()
			fmt.Printf("%s: %d schedules, up to seed %d\n", time.Since(began).Round(time.Second), met.seen["a schedule"], seed+round-1)
		}
	}
	fmt.Printf("%d schedules in %s, seeds %d to %d\n", met.seen["a schedule"], time.Since(began).Round(time.Second), first, seed-1)
}

// inMemory returns a folder that needs no disk, where the system has one: schedules make many small commits.
func inMemory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "rosterd-sim-*") // t.TempDir is on the disk
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// simulate lives through one schedule.
func simulate(t *testing.T, d storetest.Database, seed uint64, met *tally) {
	t.Helper()
	s := newSim(t, d, seed, met)
	met.add("a schedule", 1)
	defer func() {
		if t.Failed() {
			s.inventory()
			t.Logf("the schedule of seed %d (replay with ROSTERD_SIM_SCHEDULES=1 ROSTERD_SIM_SEED=%d):\n\t%s", seed, seed,
				strings.Join(s.trace, "\n\t"))
		}
	}()
	s.begin()
	for range simSteps/2 + s.rng.IntN(simSteps/2) {
		s.step()
		s.always()
		if t.Failed() {
			return
		}
	}
	s.comeToRest()
}

// tally counts what the schedules met, so that a simulation which has come to do nothing is noticed.
type tally struct {
	mu   sync.Mutex
	seen map[string]int
}

func (c *tally) add(what string, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen[what] += n
}

// mustMeet is what a hundred schedules come across.
var mustMeet = []string{
	"applied create", "applied update", "applied deactivate", "applied reactivate", "applied add", "applied remove",
	"applied delete", "a push during a run", "a push between two commits", "a list that was not whole", "a run that was held",
	"a plan that was approved", "a plan that was cancelled", "a dry run", "a process that died", "a lease that passed on",
	"a holder that woke up beside the other one",
	"a change that was missed", "an operator's deactivation", "a userName handed over", "a listed conflict",
	"a delta", "a delta that failed", "a delta read in full", "a cursor that was lost", "something parked",
}

func (c *tally) report(t *testing.T, enough bool) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	lines := make([]string, 0, len(c.seen))
	for what, n := range c.seen {
		lines = append(lines, fmt.Sprintf("%s: %d", what, n))
	}
	slices.Sort(lines)
	t.Logf("met: %s", strings.Join(lines, "; "))
	for _, what := range mustMeet {
		if enough && !t.Failed() && c.seen[what] == 0 {
			t.Errorf("no schedule met %s: the simulation tests less than it says", what)
		}
	}
}

func chance(rng *rand.Rand, percent int) bool { return rng.IntN(100) < percent }

func pick[T any](rng *rand.Rand, of []T) T { return of[rng.IntN(len(of))] }
