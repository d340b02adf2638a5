package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/idpsim"
	"github.com/rosterd/rosterd/internal/store/storetest"
)

// BenchmarkFullPull has the real binary read a simulated tenant of one group for each hundred people, and reports the
// daemon's own highest resident memory: after the run that makes everybody, and after silent ones. ROSTERD_BENCH_MEMBERS
// sets the sizes ("10000,100000"): flat means that the figures hardly grow with them.
func BenchmarkFullPull(b *testing.B) {
	sizes := "2000"
	if s := os.Getenv("ROSTERD_BENCH_MEMBERS"); s != "" {
		sizes = s
	}
	for _, kind := range []string{"sqlite", "postgres"} {
		for size := range strings.SplitSeq(sizes, ",") {
			people, err := strconv.Atoi(size)
			if err != nil {
				b.Fatal(err)
			}
			b.Run(fmt.Sprintf("%s/%d", kind, people), func(b *testing.B) {
				for range b.N {
					fullPull(b, kind, people)
				}
			})
		}
	}
}

func fullPull(b *testing.B, kind string, people int) {
	b.Helper()
	m := &machine{t: b, binary: binary(b), env: environmentWithout("ROSTERD_"), db: storetest.Database{Kind: kind, Dir: b.TempDir()}}
	if kind == "postgres" {
		m.db.URL = storetest.Postgres(b)
	}
	d := m.directory(idpsim.Config{Seed: 1, Members: people, Groups: max(4, people/100)})
	m.configure(d.entry("default", "entra"))
	m.serve("--config", "rosterd.yaml")
	defer m.end()
	b.ReportMetric(m.peak(), "idle-MB")
	run := func() time.Duration {
		began := time.Now()
		id := asked[client.Runs](m, exitDone, "resync --org default").Runs[0].Run
		c := m.local()
		for done := false; !done; time.Sleep(250 * time.Millisecond) {
			r, err := c.Run(b.Context(), id, false)
			m.ok(err)
			if done = r.Finished(); done && (r.State != "done" || !r.Complete) {
				b.Fatalf("the run ended %s: %s %v", r.State, r.Error, r.Incomplete)
			}
		}
		return time.Since(began)
	}
	b.ReportMetric(run().Seconds(), "first-s")
	b.ReportMetric(m.peak(), "first-MB")
	b.ReportMetric(run().Seconds(), "silent-s")
	b.ReportMetric(m.peak(), "silent-MB")
}

// peak is the highest resident memory of the daemon since the last call, in MB.
func (m *machine) peak() float64 {
	m.t.Helper()
	proc := fmt.Sprintf("/proc/%d/", m.daemon.cmd.Process.Pid)
	status, err := os.ReadFile(proc + "status")
	m.ok(err)
	_, after, _ := strings.Cut(string(status), "VmHWM:")
	kb, err := strconv.Atoi(strings.Fields(after)[0])
	m.ok(err)
	m.ok(os.WriteFile(proc+"clear_refs", []byte("5"), 0)) // proc(5): resets the high-water mark
	const kbPerMB = 1024
	return float64(kb) / kbPerMB
}
