// nodemailer: verify(), which connects, does STARTTLS, logs in and leaves; it offers no envelope.
"use strict";

const fs = require("node:fs");
const nodemailer = require("nodemailer");

const WARM = 8;
const job = JSON.parse(process.argv[2]);
const options = {
  host: job.host,
  port: job.port,
  secure: job.mode === "implicit",
  requireTLS: job.mode === "starttls",
  ignoreTLS: job.mode === "none",
  name: "bench.test",
  auth: { user: job.user, pass: job.password },
  tls: { ca: job.mode === "none" ? undefined : fs.readFileSync(job.ca_file) },
  greetingTimeout: 600000,
  socketTimeout: 600000,
};

async function probe(times) {
  const began = performance.now();
  await nodemailer.createTransport(options).verify().catch((problem) => {
    if (problem.code !== "EAUTH") throw problem;
  });
  times.push((performance.now() - began) / 1000);
}

async function main() {
  const times = [];
  await Promise.all(Array.from({ length: Math.min(WARM, job.count) }, () => probe([])));
  const idle = process.resourceUsage().maxRSS / 1024;
  let left = job.count;
  const worker = async () => {
    while (left-- > 0) await probe(times);
  };
  const cpu = process.cpuUsage();
  const began = performance.now();
  await Promise.all(Array.from({ length: Math.min(job.at_once, job.count) }, worker));
  const wall = (performance.now() - began) / 1000;
  const used = process.cpuUsage(cpu);
  const rss = process.resourceUsage().maxRSS / 1024;
  console.log(JSON.stringify({ wall, cpu: (used.user + used.system) / 1e6, rss, idle_rss: idle, times, note: "" }));
}

main();
