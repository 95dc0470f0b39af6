//! PostgreSQL as operators run it: three servers with synchronous replication under Patroni, which elects by etcd, and `HAProxy`
//! before them.

use std::{net::SocketAddr, sync::Mutex};

use ficha_testkit::postgres::{Guarded, free_port};
use ficha_tests::{Door, Ledger};

use crate::{
    balancer::{Balancer, Behind},
    load::{Load, May, Waits},
    nodes::{Nodes, at_last},
};

/// How often the primary dies.
const FAILOVERS: usize = 4;

/// Seconds after which a leader that is not heard of is none: the least that Patroni takes. It decides how long callers see 503
/// when a whole machine is gone.
const LEADER_S: u32 = 20;

/// One of the servers.
struct Member {
    name: String,
    /// PostgreSQL.
    port: u16,
    /// Patroni's own interface.
    rest: SocketAddr,
}

impl Member {
    /// Whether Patroni answers that it is so.
    fn says(&self, what: &str) -> bool {
        Door::plain(self.rest).base("").call("GET", what).try_send().is_ok_and(|answer| answer.status == 200)
    }
}

/// How a primary dies.
#[derive(Debug, Clone, Copy)]
enum Death {
    /// PostgreSQL alone; Patroni beside it sees that.
    Server,
    /// Everything on the machine.
    Machine,
}

struct Cluster {
    guarded: Guarded,
    members: Vec<Member>,
    balancer: Balancer,
}

impl Cluster {
    fn start() -> Self {
        let guarded = Guarded::new(
            r#"kill -KILL $(cat *.pid)
               for data in m*/; do kill -QUIT "$(head -n 1 "$data/postmaster.pid")"; done"#,
            &[],
        );
        let (etcd, peer) = (free_port(), free_port());
        let members: Vec<_> = (1..=3)
            .map(|n| Member {
                name: format!("m{n}"),
                port: free_port(),
                rest: SocketAddr::from(([127, 0, 0, 1], free_port())),
            })
            .collect();
        guarded.sh(&format!(
            "setsid etcd --name e --data-dir etcd --listen-client-urls http://127.0.0.1:{etcd} \
             --advertise-client-urls http://127.0.0.1:{etcd} --listen-peer-urls http://127.0.0.1:{peer} \
             --initial-advertise-peer-urls http://127.0.0.1:{peer} --initial-cluster e=http://127.0.0.1:{peer} \
             --unsafe-no-fsync >etcd.log 2>&1 & echo $! >etcd.pid"
        ));
        let binaries = guarded.sh("ls -d /usr/lib/postgresql/*/bin | sort --version-sort | tail -n 1");
        let behind: Vec<_> = members
            .iter()
            .map(|m| Behind {
                name: m.name.clone(),
                address: SocketAddr::from(([127, 0, 0, 1], m.port)),
                checked: m.rest,
            })
            .collect();
        let balancer = Balancer::cutting(&behind, "OPTIONS /primary");
        let cluster = Self { guarded, members, balancer };
        for member in &cluster.members {
            let text = cluster.configuration(member, etcd, binaries.trim());
            cluster.guarded.write(&cluster.guarded.folder().join(format!("{}.yaml", member.name)), &text);
            cluster.launch(member);
        }
        cluster
    }

    fn configuration(&self, Member { name, port, rest }: &Member, etcd: u16, binaries: &str) -> String {
        let folder = self.guarded.folder().display();
        format!(
            r#"scope: ficha
name: {name}
restapi: {{ listen: "{rest}", connect_address: "{rest}" }}
etcd3: {{ host: "127.0.0.1:{etcd}" }}
bootstrap:
  dcs:
    ttl: {LEADER_S}
    loop_wait: 2
    retry_timeout: 5
    # A primary that died is replaced, not waited for.
    master_start_timeout: 0
    # Nothing is answered that one server alone has.
    synchronous_mode: true
    synchronous_mode_strict: true
    postgresql:
      use_pg_rewind: true
      parameters: {{ wal_log_hints: "on", max_connections: 100, max_wal_size: 256MB }}
  initdb: [{{ encoding: UTF8 }}, {{ locale: C.UTF-8 }}]
postgresql:
  listen: "127.0.0.1:{port}"
  connect_address: "127.0.0.1:{port}"
  data_dir: {folder}/{name}
  bin_dir: {binaries}
  pgpass: {folder}/{name}.pgpass
  authentication:
    superuser: {{ username: postgres, password: none }}
    replication: {{ username: replicator, password: none }}
  pg_hba: ["local all all trust", "host all all 127.0.0.1/32 trust", "host replication all 127.0.0.1/32 trust"]
  parameters: {{ unix_socket_directories: "{folder}", shared_buffers: 32MB }}
"#
        )
    }

    fn launch(&self, Member { name, .. }: &Member) {
        self.guarded.sh(&format!("setsid patroni {name}.yaml >>{name}.log 2>&1 & echo $! >{name}.pid"));
    }

    /// Waits until one server leads and the others follow, one of them synchronously; the one that leads.
    fn settle(&self) -> &Member {
        let mut leads = None;
        at_last("one server leads and two follow", || {
            let count = |what: &str| self.members.iter().filter(|member| member.says(what)).count();
            leads = self.members.iter().find(|member| member.says("/primary"));
            leads.is_some() && count("/replica") == 2 && count("/sync") == 1
        });
        let leads = leads.unwrap();
        self.balancer.takes(&leads.name);
        leads
    }

    fn kill(&self, Member { name, .. }: &Member, death: Death) {
        let patroni = match death {
            Death::Server => String::new(),
            Death::Machine => format!("$(cat {name}.pid)"),
        };
        self.guarded.sh(&format!(
            r#"pid=$(head -n 1 {name}/postmaster.pid); kill -KILL {patroni} "$pid" $(ps -o pid= --ppid "$pid")"#
        ));
    }
}

#[test]
#[ignore = "takes minutes: ./test --cluster"]
fn nothing_that_was_answered_is_lost_and_no_session_dies_when_primaries_die_under_patroni() {
    let cluster = Cluster::start();
    cluster.settle();
    let port = cluster.balancer.port().to_string();
    let create = ["-h", "127.0.0.1", "-p", &port, "-U", "postgres", "-c", "CREATE DATABASE ficha", "postgres"];
    cluster.guarded.run("psql", &create);
    let nodes = Nodes::serving(&format!("postgres://postgres@127.0.0.1:{port}/ficha"), 2);
    let ledger = Mutex::new(Ledger { whole: true, ..Ledger::default() });
    ledger.lock().unwrap().check_keys(&|issuer| nodes.ask(0, issuer));
    let load = Load::new(nodes.doors(), &nodes.callers, &ledger, May::Wait);
    let mut all = Waits::default();
    load.run(Some(&nodes.servers[0]), || {
        load.goes_on(3);
        for (n, death) in [Death::Machine, Death::Server].into_iter().cycle().take(FAILOVERS).enumerate() {
            let primary = cluster.settle();
            drop(load.waits());
            cluster.kill(primary, death);
            load.goes_on(3);
            let mut waits = load.waits();
            waits.print(&format!("failover {}, {death:?}", n + 1));
            all.add(&waits);
            if matches!(death, Death::Machine) {
                cluster.launch(primary);
            }
        }
    });
    all.print(&format!("{FAILOVERS} failovers"));
    let mut ledger = ledger.into_inner().unwrap();
    nodes.stand_by(&mut ledger);
    assert!(ledger.checked["secrets removed"] > 0 && ledger.checked["secrets added"] > 0);
}
