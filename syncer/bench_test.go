package syncer_test

import (
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store/storetest"
)

// BenchmarkRun times a first run, which makes everybody, and a silent one after it. ROSTERD_BENCH_MEMBERS sets the size;
// the heap is what is in use at its highest, sampled, the simulated tenant's own directory included.
func BenchmarkRun(b *testing.B) {
	people := 2000
	if n, err := strconv.Atoi(os.Getenv("ROSTERD_BENCH_MEMBERS")); err == nil {
		people = n
	}
	for _, kind := range []string{"sqlite", "postgres"} {
		b.Run(kind, func(b *testing.B) {
			for range b.N {
				d := storetest.Database{Kind: kind, Dir: b.TempDir()}
				if kind == "postgres" {
					d.URL = storetest.Postgres(b)
				}
				w := newWorld(b, storetest.Open(b, d), people, max(4, people/100))
				base := heap()
				stop, peak := make(chan struct{}), make(chan uint64)
				go watchHeap(stop, peak)
				began := time.Now()
				w.baseline()
				first := time.Since(began)
				began = time.Now()
				if _, actions := w.run(roster.ModeFull); len(actions) != 0 {
					b.Fatalf("the second run has %d actions", len(actions))
				}
				close(stop)
				b.ReportMetric(first.Seconds(), "first-s")
				b.ReportMetric(time.Since(began).Seconds(), "silent-s")
				b.ReportMetric(float64(base)/(1<<20), "tenant-MB")
				b.ReportMetric(float64(<-peak)/(1<<20), "peak-MB")
			}
		})
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func watchHeap(stop <-chan struct{}, peak chan<- uint64) {
	var most uint64
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			peak <- most
			return
		case <-tick.C:
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
		}
	}
}
