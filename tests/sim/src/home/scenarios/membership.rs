//! Who votes, when people change it or a file is gone.

use wire::GatewayId;

use crate::home::disk::Disk;
use crate::home::world::World;

const ALONE: GatewayId = GatewayId(1);

#[test]
fn a_voter_is_not_removed_while_too_few_of_the_others_are_there() {
    let mut world = World::new(1, 3, 0, |_| {});
    world.furnish(&["a/x"]);
    let leader = world.leader().expect("someone leads");
    let others: Vec<u8> = (1..=3).filter(|id| *id != leader).collect();
    world.kill(others[0]);
    world.run(1500);
    let question = world.ask_for_voters("remove", others[1]);
    world.until("it is answered", 1000, |world| world.answer(&question).is_some());
    let why = world.answer(&question).and_then(wire::Answer::failure).unwrap_or_default();
    assert!(why.contains(&format!("gateway {} is silent", others[0])), "{why:?}");
    // The silent one itself is no loss.
    let question = world.ask_for_voters("remove", others[0]);
    world.until("it is answered", 1000, |world| world.answer(&question).is_some());
    assert_eq!(world.answer(&question).and_then(wire::Answer::failure), None);
}

#[test]
fn a_removal_that_a_leadership_took_with_it_keeps_leases_from_nobody() {
    for wait in (300..460).step_by(20) {
        // Four, so that a majority is left when the removal is agreed after all and the leader is not heard.
        let mut world = World::new(4, 4, 0, |settings| {
            settings.own_broker = false;
            settings.leaders = vec![ALONE];
        });
        world.furnish(&["a/x", "b/x", "c/x", "d/x"]);
        (world.broker.lingers, world.plan.foreign) = (true, true);
        assert_eq!((world.leader(), world.server("d")), (Some(1), Some(2)));
        // The leader waits for a lease and proposes; then nobody hears it, and another leads for a while.
        world.ask_for_voters("remove", 2);
        world.run(wait);
        world.mute(1);
        world
            .until("another leads", 3000, |world| world.leader().is_some_and(|leader| leader != 1));
        world.unmute(world.nodes[&ALONE].life());
        world.run(300);
        let other = world.leader().expect("someone leads");
        world.mute(other);
        world.until("it leads again", 3000, |world| world.leader().is_some_and(|id| id != other));
        world.unmute(world.nodes[&GatewayId(other)].life());
        world.run(1500);
        let question = world.get("d/x");
        world.until("the query is answered", 500, |world| world.answer(&question).is_some());
        assert_eq!(world.answer(&question).and_then(wire::Answer::failure), None, "{wait} ms");
    }
}

#[test]
fn a_lone_founder_that_lost_its_file_begins_no_second_site_beside_the_first() {
    for others_live in [true, false] {
        let mut world = World::new(2, 3, 0, |_| {});
        world.furnish(&["a/x", "b/x", "c/x", "d/x"]);
        // The site began with gateway 1, and its settings were never changed.
        world.kill(1);
        let node = world.node(ALONE);
        node.settings.founders = [ALONE].into();
        node.disk = Disk::new(65_536, 77);
        if !others_live {
            // What is left of them is what the broker has kept.
            world.kill(2);
            world.kill(3);
        }
        world.start(1);
        world.run(3000);
        let core = world.nodes[&ALONE].core.as_ref().expect("it runs");
        assert!(!core.votes() && core.applied().0 == 0, "it has begun a site");
        // Told who the others are, it comes back.
        world.kill(1);
        world.node(ALONE).settings.founders = (1..=3).map(GatewayId).collect();
        for id in [1, 2, 3] {
            if world.nodes[&GatewayId(id)].core.is_none() {
                world.start(id);
            }
        }
        world.assert_settled();
    }
}

#[test]
fn a_lone_founder_of_a_new_site_begins_it() {
    let mut world = World::new(3, 1, 0, |_| {});
    world.furnish(&["a/x"]);
    world.assert_settled();
}
