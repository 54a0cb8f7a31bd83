//! temp
#[tokio::main]
async fn main() {
    let settings = watertight::config::load(watertight::config::CommandLine::default()).unwrap();
    let r = watertight::Harness::new(settings)
        .run(&|m| eprintln!("{m}"))
        .await;
    match r {
        Ok(r) => {
            println!("{}", watertight::report::render(&r, "text", false).unwrap());
            println!("{:?}", r.timings)
        }
        Err(e) => println!("error: {e}"),
    }
}
