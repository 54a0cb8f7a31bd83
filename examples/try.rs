//! temp
#[tokio::main]
async fn main() {
    let t0 = std::time::Instant::now();
    let settings = watertight::config::load(watertight::config::CommandLine::default()).unwrap();
    let r = watertight::Harness::new(settings).run(&|m| eprintln!("{:?} {m}", t0.elapsed())).await;
    match r { Ok(r) => { println!("{}", watertight::report::render(&r, "text", false).unwrap()); println!("{:?}", r.timings) }, Err(e) => println!("error: {e}") }
}
