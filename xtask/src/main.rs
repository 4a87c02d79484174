fn main() {
    println!("build, demo, test, bench");
}
