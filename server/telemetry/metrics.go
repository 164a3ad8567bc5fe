// Package telemetry counts what a server does, for Prometheus. The endpoints report what happens as it happens: a session
// that opens, a request that was answered, bytes that a lane moved. What has a present state, such as the agents, is counted
// when GET /metrics asks for it (Count, CountMasking).
package telemetry

import (
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"skein.dev/skein/webtransport/wire"
)

// Metrics is what Prometheus reads. No label takes a value that a client invents.
type Metrics struct {
	reg       *prometheus.Registry
	Sessions  *prometheus.GaugeVec
	Streams   prometheus.Gauge
	Datagrams prometheus.Counter
	Raced     prometheus.Counter
	Early     prometheus.Counter
	runs      *prometheus.CounterVec
	spawns    *prometheus.HistogramVec
	rpcs      *prometheus.CounterVec
	rpcTime   *prometheus.HistogramVec
	laneBytes *prometheus.CounterVec
	laneWaits *prometheus.CounterVec
	moves     sync.Map // wire.Lane: what its shapers call
}

// New makes the metrics of a server, all at zero.
func New() *Metrics {
	m := &Metrics{
		reg: prometheus.NewRegistry(),
		Sessions: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "skein_sessions", Help: "Open sessions."},
			[]string{"transport"}),
		Streams:   prometheus.NewGauge(prometheus.GaugeOpts{Name: "skein_streams", Help: "Open streams over all sessions."}),
		Raced:     prometheus.NewCounter(prometheus.CounterOpts{Name: "skein_raced_requests_total", Help: "Critical requests that came as datagrams."}),
		Early:     prometheus.NewCounter(prometheus.CounterOpts{Name: "skein_early_requests_total", Help: "Requests taken from TLS early data."}),
		Datagrams: prometheus.NewCounter(prometheus.CounterOpts{Name: "skein_status_datagrams_total", Help: "Status datagrams handed to the sessions."}),
		runs: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "skein_schedule_runs_total", Help: "Runs of schedules, by what became of them."},
			[]string{"outcome"}),
		spawns: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "skein_spawn_seconds", Help: "Time from the admission of an agent to its start.",
			Buckets: prometheus.ExponentialBuckets(0.0002, 2, 14)}, []string{"kind", "outcome"}),
		rpcs: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "skein_rpcs_total", Help: "Requests answered."},
			[]string{"method", "code"}),
		rpcTime: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "skein_rpc_seconds", Help: "Time from a request's arrival to its answer.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 4, 10)}, []string{"method"}),
		laneBytes: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "skein_lane_bytes_total", Help: "Bytes that lanes moved; in is from the client."},
			[]string{"lane", "direction"}),
		laneWaits: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "skein_lane_throttled_seconds_total",
			Help: "Time that lanes waited for their rate, or for their turn among the writers of their class."}, []string{"lane", "direction"}),
	}
	m.reg.MustRegister(m.Sessions, m.Streams, m.Datagrams, m.Raced, m.Early, m.runs, m.spawns, m.rpcs, m.rpcTime, m.laneBytes, m.laneWaits,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, t := range []wire.Transport{wire.WebTransport, wire.WebSocket} {
		m.Sessions.WithLabelValues(string(t))
	}
	for _, o := range []wire.ScheduleOutcome{wire.ScheduleSubmitted, wire.ScheduleSkipped, wire.ScheduleMissed, wire.ScheduleFailed} {
		m.runs.WithLabelValues(string(o))
	}
	return m
}

// Handler answers GET /metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.reg, promhttp.HandlerOpts{})
}

// Spawned counts an agent that was started, or failed to start.
func (m *Metrics) Spawned(kind wire.Kind, took time.Duration, ok bool) {
	outcome := "started"
	if !ok {
		outcome = "failed"
	}
	m.spawns.WithLabelValues(string(kind), outcome).Observe(took.Seconds())
}

// Scheduled counts a run of a schedule.
func (m *Metrics) Scheduled(o wire.ScheduleOutcome) { m.runs.WithLabelValues(string(o)).Inc() }

// Answered counts a request that was answered; err is nil when it succeeded.
func (m *Metrics) Answered(method string, err error, took time.Duration) {
	if wire.MethodNamed(method) == nil {
		method = "unknown"
	}
	code := "ok"
	if err != nil {
		code = wire.CodeInternal.String()
		var we *wire.Error
		if errors.As(err, &we) {
			code = we.Code.String()
		}
	}
	m.rpcs.WithLabelValues(method, code).Inc()
	m.rpcTime.WithLabelValues(method).Observe(took.Seconds())
}

// Fleet is what counts as an agent.
type Fleet interface {
	List(wire.Filter) wire.ListResult
}

// Tasks is what counts as a task.
type Tasks interface {
	Counts() map[wire.TaskState]int
}

// Masking is what masks losses of connections.
type Masking interface {
	Masked() (connections int, packets uint64)
}

// Count has agents and tasks counted whenever the metrics are read.
func (m *Metrics) Count(f Fleet, t Tasks) { m.reg.MustRegister(agentCollector{f}, taskCollector{t}) }

// CountMasking has what loss masking does counted, too.
func (m *Metrics) CountMasking(k Masking) { m.reg.MustRegister(maskCollector{k}) }

// agentCollector counts agents by status when it is asked.
type agentCollector struct{ fleet Fleet }

var agentsDesc = prometheus.NewDesc("skein_agents", "Agents by status.", []string{"status"}, nil)

func (agentCollector) Describe(ch chan<- *prometheus.Desc) { ch <- agentsDesc }

func (c agentCollector) Collect(ch chan<- prometheus.Metric) {
	n := map[wire.Status]int{}
	for _, a := range c.fleet.List(wire.Filter{}).Agents {
		n[a.Status]++
	}
	for _, st := range wire.Statuses {
		ch <- prometheus.MustNewConstMetric(agentsDesc, prometheus.GaugeValue, float64(n[st]), string(st))
	}
}

// maskCollector counts what loss masking does.
type maskCollector struct{ masking Masking }

var (
	maskedDesc   = prometheus.NewDesc("skein_masked_connections", "QUIC connections whose packets are sent twice now, since they lose some.", nil, nil)
	repeatedDesc = prometheus.NewDesc("skein_masked_packets_total", "QUIC packets that were sent twice.", nil, nil)
)

func (maskCollector) Describe(ch chan<- *prometheus.Desc) { ch <- maskedDesc; ch <- repeatedDesc }

func (c maskCollector) Collect(ch chan<- prometheus.Metric) {
	connections, packets := c.masking.Masked()
	ch <- prometheus.MustNewConstMetric(maskedDesc, prometheus.GaugeValue, float64(connections))
	ch <- prometheus.MustNewConstMetric(repeatedDesc, prometheus.CounterValue, float64(packets))
}

// taskCollector counts tasks by state.
type taskCollector struct{ tasks Tasks }

var tasksDesc = prometheus.NewDesc("skein_tasks", "Tasks by state.", []string{"state"}, nil)

func (c taskCollector) Describe(ch chan<- *prometheus.Desc) { ch <- tasksDesc }

func (c taskCollector) Collect(ch chan<- prometheus.Metric) {
	counts := c.tasks.Counts()
	for _, state := range wire.TaskStates {
		ch <- prometheus.MustNewConstMetric(tasksDesc, prometheus.GaugeValue, float64(counts[state]), string(state))
	}
}

// Moved gives what counts the bytes and the waits of the lanes of one name.
func (m *Metrics) Moved(lane wire.Lane) func(in bool, n int, waited time.Duration) {
	if f, ok := m.moves.Load(lane); ok {
		return f.(func(bool, int, time.Duration))
	}
	in, out := m.laneBytes.WithLabelValues(string(lane), "in"), m.laneBytes.WithLabelValues(string(lane), "out")
	inWait, outWait := m.laneWaits.WithLabelValues(string(lane), "in"), m.laneWaits.WithLabelValues(string(lane), "out")
	f := func(isIn bool, n int, waited time.Duration) {
		bytes, waits := out, outWait
		if isIn {
			bytes, waits = in, inWait
		}
		bytes.Add(float64(n))
		if waited > 0 {
			waits.Add(waited.Seconds())
		}
	}
	m.moves.Store(lane, f)
	return f
}
