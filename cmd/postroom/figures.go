package main

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/store"
)

// figures are what /metrics tells. Labels are states and classes, never a mailbox
// or a person.
type figures struct {
	registry *prometheus.Registry
	noticed  prometheus.Histogram
	settled  *prometheus.CounterVec
	faults   *prometheus.CounterVec
	unknown  *prometheus.CounterVec
	lost     prometheus.Counter
}

func newFigures(db *store.DB) *figures {
	f := &figures{
		registry: prometheus.NewRegistry(),
		noticed: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "postroom_notice_to_filed_seconds", Help: "From a name entering the ledger to its mail being filed.",
			Buckets: []float64{.005, .01, .02, .03, .05, .1, .15, .3, .5, 1, 2.5, 10, 60, 600, 3600},
		}),
		settled: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "postroom_arrivals_settled_total", Help: "Arrivals settled by this process, by state.",
		}, []string{"state"}),
		faults: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "postroom_faults_total", Help: "Faults met while reading mailboxes, by class.",
		}, []string{"class"}),
		unknown: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "postroom_unknown_replies_total", Help: "Answers of servers that nobody could explain, by protocol and step.",
		}, []string{"protocol", "phase"}),
		lost: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "postroom_sign_in_answers_lost_total", Help: "Renewals of a sign-in whose answer was lost, because a process ended before it was recorded.",
		}),
	}
	f.registry.MustRegister(f.noticed, f.settled, f.faults, f.unknown, f.lost, &census{db: db, reader: db.Reader()},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return f
}

func (f *figures) filed(filed store.Filed) {
	f.settled.WithLabelValues(string(filed.State)).Inc()
	f.noticed.Observe(time.Since(filed.SeenAt).Seconds())
}

func (f *figures) troubled(fault *postroom.Fault) {
	f.faults.WithLabelValues(string(fault.Class)).Inc()
}

func (f *figures) unknownReply(protocol postroom.Protocol, phase string) {
	f.unknown.WithLabelValues(string(protocol), phase).Inc()
}

func (f *figures) handler() http.Handler {
	return promhttp.HandlerFor(f.registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
}

// A census counts what the database holds when somebody asks.
type census struct {
	db     *store.DB
	reader *store.Reader
}

var (
	mailboxesByState = prometheus.NewDesc("postroom_mailboxes", "Mailboxes by state.", []string{"state"}, nil)
	arrivalsByState  = prometheus.NewDesc("postroom_arrivals", "Arrivals in the ledger by state.", []string{"state"}, nil)
	commitsTotal     = prometheus.NewDesc("postroom_commits_total", "Commits made durable by this process.", nil, nil)
	joinedTotal      = prometheus.NewDesc("postroom_commit_members_total", "Changes that those commits made durable.", nil, nil)
)

// Describe is part of prometheus.Collector.
func (c *census) Describe(descriptions chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{mailboxesByState, arrivalsByState, commitsTotal, joinedTotal} {
		descriptions <- d
	}
}

// Collect is part of prometheus.Collector.
func (c *census) Collect(metrics chan<- prometheus.Metric) {
	commits, members := c.db.Commits()
	metrics <- prometheus.MustNewConstMetric(commitsTotal, prometheus.CounterValue, float64(commits))
	metrics <- prometheus.MustNewConstMetric(joinedTotal, prometheus.CounterValue, float64(members))
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	counts, err := c.reader.Figures(ctx)
	if err != nil {
		metrics <- prometheus.NewInvalidMetric(arrivalsByState, err)
		return
	}
	for _, s := range postroom.MailboxStates() {
		metrics <- prometheus.MustNewConstMetric(mailboxesByState, prometheus.GaugeValue, float64(counts.Mailboxes[s]), string(s))
	}
	for _, s := range postroom.ArrivalStates() {
		metrics <- prometheus.MustNewConstMetric(arrivalsByState, prometheus.GaugeValue, float64(counts.Arrivals[s]), string(s))
	}
}
